"""The gate of `publish` on real releases: what is compared, what cannot be, and what somebody decides in its place."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from tasks.__main__ import main
from tasks.steps.publish import publish
from tasks.store import History, Store, read_artefact, release_prefix
from tests.steps.night import DATASET, USERS, reach_publish

pytestmark = pytest.mark.services
LAX = {"tolerance": 0.05}


def gate_of(store: Store, run: str) -> dict[str, Any]:
    """What the run wrote about its decision."""
    facts: dict[str, Any] = read_artefact(store, f"runs/{run}/publish").json("decision.json")["gate"]
    return facts


def first_release(store: Store, history: History, **options: Any) -> str:
    """A release of `ease` is served."""
    reach_publish(store, history, "r1", {"ease": 0.3}, **options)
    return str(publish(run="r1")["release"])


def forget_split(store: Store, release: str) -> None:
    """A release as an earlier version wrote it."""
    key = f"{release_prefix(DATASET, release)}/manifest.json"
    facts = json.loads(store.get(key))
    assert facts["parameters"].pop("split") == "random"
    store.put(key, json.dumps(facts).encode())


def served(history: History) -> str | None:
    """The release that is served."""
    champion = history.champion(DATASET)
    return champion.release if champion else None


def test_a_grown_log_is_compared_on_rows_that_neither_learned_from(folder_store: Store, history: History) -> None:
    """Splits are stable: every validation row of the users that both know is there; new users have none to compare."""
    before = first_release(folder_store, history)
    data = reach_publish(folder_store, history, "r2", {"ease": 0.1}, users=USERS + 10, rules=LAX)
    found = publish(run="r2")
    assert found["published"]
    comparison, reference = gate_of(folder_store, "r2")["comparison"], gate_of(folder_store, "r2")["reference"]
    old = [user in {f"viewer {n}" for n in range(USERS)} for user in data.user_ids.tolist()]
    assert comparison["known"]["rows"] == data.valid[old].nnz
    assert comparison["known"]["items"] == data.shape[1]
    assert (comparison["release"], reference["release"]) == (before, before)


def test_the_stored_figure_of_another_night_decides_nothing(folder_store: Store, history: History) -> None:
    """A champion with an incredible figure is replaced by a model that is as good on the same rows."""
    first_release(folder_store, history)
    reach_publish(folder_store, history, "r2", {"ease": 0.0001}, users=USERS + 5, rules=LAX)
    assert publish(run="r2")["published"]


def test_small_losses_are_added_up_against_the_best_of_thirty_days(folder_store: Store, history: History) -> None:
    """A worse model was let through by a wide tolerance; with the usual one, the best release is the measure."""
    best = first_release(folder_store, history)
    reach_publish(folder_store, history, "r2", {"popularity": 0.3}, rules={"tolerance": 1.0})
    assert publish(run="r2")["published"]
    reach_publish(folder_store, history, "r3", {"popularity": 0.3}, users=USERS + 5, rules=LAX)
    found = publish(run="r3")
    assert not found["published"]
    assert f"against release {best}, the best of the last thirty days" in str(found["reason"])
    assert gate_of(folder_store, "r3")["reference"]["release"] == best


def test_another_split_is_refused_and_how_to_publish_is_said(folder_store: Store, history: History) -> None:
    """A run by `time` was once rejected for a figure of a `random` one: now it says that nothing is comparable."""
    before = first_release(folder_store, history)
    reach_publish(folder_store, history, "r2", {"ease": 0.9}, rules={"split": "leave-one-out"})
    found = publish(run="r2")
    assert found["reason"] == (
        f"release {before} was evaluated on the split 'random', this run on 'leave-one-out': nothing to compare with; "
        "publish it with --force-publish, or set when_incomparable"
    )
    assert served(history) == before


def test_by_configuration_what_cannot_be_compared_is_promoted_with_a_warning(
    folder_store: Store, history: History, caplog: pytest.LogCaptureFixture
) -> None:
    """And the report says that nothing proved it."""
    first_release(folder_store, history)
    rules = {"split": "leave-one-out", "when_incomparable": "promote"}
    reach_publish(folder_store, history, "r2", {"ease": 0.9}, rules=rules)
    with caplog.at_level(logging.WARNING):
        found = publish(run="r2")
    assert found["published"]
    assert "promoted without evidence (when_incomparable)" in caplog.text
    assert not gate_of(folder_store, "r2")["proved"]
    assert served(history) == found["release"]


def test_force_publishes_a_worse_model_and_it_is_recorded(
    folder_store: Store, history: History, caplog: pytest.LogCaptureFixture
) -> None:
    """In the log, the store and the row of the release: what was overridden, and the figures."""
    first_release(folder_store, history)
    reach_publish(folder_store, history, "r2", {"popularity": 0.9})
    assert not publish(run="r2")["published"]
    with caplog.at_level(logging.WARNING):
        assert main(["publish", "--run", "r2", "--force-publish"]) == 0
    assert "published by force, although ndcg@20" in caplog.text
    champion = history.champion(DATASET)
    assert champion is not None
    assert (champion.model, champion.gate) == ("popularity", gate_of(folder_store, "r2"))
    assert "worse by more than the tolerance" in champion.gate["forced"]
    assert champion.gate["comparison"]["known"]["high"] < 0


def test_after_a_forced_release_the_next_night_is_not_held_against_what_was_before(
    folder_store: Store, history: History
) -> None:
    """The forced release is its own reference."""
    first_release(folder_store, history)
    reach_publish(folder_store, history, "r2", {"popularity": 0.9})
    forced = publish(run="r2", force_publish=True)["release"]
    reach_publish(folder_store, history, "r3", {"popularity": 0.9}, users=USERS + 5, rules=LAX)
    assert publish(run="r3")["published"]
    assert gate_of(folder_store, "r3")["reference"] == {"release": forced, "comparison": None, "incomparable": None}


@pytest.mark.parametrize(
    "lost", ["manifest.json", "twin_serving.safetensors", "histories.safetensors", "user_mapping.csv"]
)
def test_a_release_that_is_not_whole_cannot_be_compared_with(folder_store: Store, history: History, lost: str) -> None:
    """It does not keep the next one out for ever: force and configuration go past it."""
    before = first_release(folder_store, history)
    folder_store.delete(f"{release_prefix(DATASET, before)}/{lost}")
    reach_publish(folder_store, history, "r2", {"ease": 0.3}, users=USERS + 5)
    assert "nothing to compare with; publish it with --force-publish" in str(publish(run="r2")["reason"])
    assert publish(run="r2", force_publish=True)["published"]


def test_a_log_of_too_few_known_users_cannot_be_compared(folder_store: Store, history: History) -> None:
    """As that of another catalogue: a near figure is no reason to publish."""
    reach_publish(folder_store, history, "r1", {"ease": 0.3}, users=40)
    publish(run="r1")
    reach_publish(folder_store, history, "r2", {"ease": 0.3}, users=25)
    found = publish(run="r2")
    assert not found["published"]
    assert "users have a validation row that release" in str(found["reason"])


def test_a_release_of_an_earlier_version_is_known_by_the_split_of_its_run(
    folder_store: Store, history: History
) -> None:
    """It does not say itself how it was split; while its run is in the store, that does."""
    before = first_release(folder_store, history)
    forget_split(folder_store, before)
    reach_publish(folder_store, history, "r2", {"ease": 0.3}, users=USERS + 5, rules=LAX)
    assert publish(run="r2")["published"]
    folder_store.delete("runs/r1/prepare/manifest.json")
    reach_publish(folder_store, history, "r3", {"ease": 0.3}, users=USERS + 9, rules=LAX)
    assert publish(run="r3")["published"]  # r2 says it


def test_an_unknown_split_is_not_guessed(folder_store: Store, history: History) -> None:
    """Without the run's prepared files nobody knows which rows the champion held out."""
    before = first_release(folder_store, history)
    forget_split(folder_store, before)
    folder_store.delete("runs/r1/prepare/manifest.json")
    reach_publish(folder_store, history, "r2", {"ease": 0.3}, users=USERS + 5, rules=LAX)
    assert "was evaluated on an unknown split, this run on 'random'" in str(publish(run="r2")["reason"])
