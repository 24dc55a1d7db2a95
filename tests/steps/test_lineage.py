"""What is published was made from what stands there: versions of a run are not mixed, and nothing older wins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tasks.errors import BadInput
from tasks.releases.verify import verify_release
from tasks.steps.publish import publish
from tasks.store import History, Store, read_artefact, write_artefact
from tests.steps.night import DATASET, USERS, reach_publish, rewrite, spoil

pytestmark = pytest.mark.services


def served(history: History) -> str | None:
    """The release that is served."""
    champion = history.champion(DATASET)
    return champion.release if champion else None


@pytest.mark.parametrize(
    ("step", "file", "named"),
    [
        ("scan", "plan.json", "extract-text was made from another runs/r1/scan"),
        ("extract-text", "rejected.csv", "align was made from another runs/r1/extract-text"),
        ("align", "item_features.csv", "prepare was made from another runs/r1/align"),
        ("train-ease", "training.json", "evaluate-ease was made from another runs/r1/train-ease"),
        ("evaluate-ease", "metrics.json", "refit was made from another runs/r1/evaluate-ease"),
        ("refit", "refit.json", "check-refit was made from another runs/r1/refit"),
    ],
)
def test_every_step_is_tied_to_what_it_was_made_from(
    folder_store: Store, history: History, step: str, file: str, named: str
) -> None:
    """Whichever artefact of a run is another one than the next step read, nothing is published."""
    reach_publish(folder_store, history, "r1", {"ease": 0.3})
    rewrite(folder_store, read_artefact(folder_store, f"runs/r1/{step}"), file)
    with pytest.raises(BadInput, match=named):
        publish(run="r1")


def test_a_plan_of_other_settings_does_not_vouch_for_the_data(folder_store: Store, history: History) -> None:
    """A repeated scan with another seed, k or split makes another run of it, and the same plan again does not."""
    reach_publish(folder_store, history, "r1", {"ease": 0.3})
    scanned = read_artefact(folder_store, "runs/r1/scan")
    plan, counts = scanned.json("plan.json"), scanned.manifest.counts
    for seed in (plan["config"]["seed"], 99):
        plan["config"]["seed"] = seed
        with write_artefact(folder_store, "runs/r1/scan") as out:
            out.json("plan.json", plan)
            out.counts.update(counts)
        if seed == 99:
            with pytest.raises(BadInput, match="made from another runs/r1/scan"):
                publish(run="r1")
        else:
            assert publish(run="r1")["published"]


@pytest.mark.fault("F17", "F19")
def test_neither_a_later_scan_nor_a_clock_makes_old_inputs_new(
    folder_store: Store, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A night whose clock was a year ahead shuts no gate, and repeating the scan of an old run opens none."""
    ahead = datetime.now(UTC) + timedelta(days=365)

    class Ahead(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return ahead

    with monkeypatch.context() as patch:
        patch.setattr("tasks.store.artefacts.datetime", Ahead)
        reach_publish(folder_store, history, "old", {"ease": 0.4})
    reach_publish(folder_store, history, "new", {"ease": 0.4}, users=USERS + 5, inputs=2, rules={"tolerance": 0.05})
    new = publish(run="new")["release"]
    scanned = read_artefact(folder_store, "runs/old/scan")
    with write_artefact(folder_store, "runs/old/scan") as out:
        for file in scanned.manifest.files:
            out.copy(file, scanned)
        out.counts.update(scanned.manifest.counts)
    assert "older than those of the champion" in str(publish(run="old")["reason"])
    reach_publish(folder_store, history, "next", {"ease": 0.4}, users=USERS + 9, inputs=3, rules={"tolerance": 0.05})
    assert served(history) == new
    assert publish(run="next")["published"]


@pytest.mark.fault("F17")
def test_an_identical_later_run_confirms_what_is_served(folder_store: Store, history: History) -> None:
    """What was planned between the two is older than the champion from then on."""
    reach_publish(folder_store, history, "first", {"ease": 0.4})
    publish(run="first")
    reach_publish(folder_store, history, "between", {"ease": 0.9}, log_seed=1, inputs=2)
    reach_publish(folder_store, history, "same", {"ease": 0.4}, inputs=3)
    assert publish(run="same")["reason"] == "it has the content of the champion"
    assert "older than those of the champion" in str(publish(run="between")["reason"])


@pytest.mark.fault("F5")
@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "manifest"])
def test_a_damaged_release_is_mended_before_anything_points_to_it(
    folder_store: Store, history: History, damage: str
) -> None:
    """Publishing its run again writes it anew, the same to the byte."""
    reach_publish(folder_store, history, "r1", {"ease": 0.3})
    name = str(publish(run="r1")["release"])
    prefix = f"releases/{DATASET}/{name}"
    before = {info.key: folder_store.get(info.key) for info in folder_store.list(f"{prefix}/")}
    spoil(folder_store, f"{prefix}/model.safetensors", damage)
    assert publish(run="r1")["release"] == name
    after = {info.key: folder_store.get(info.key) for info in folder_store.list(f"{prefix}/")}
    kept = [key for key in before if not key.endswith("manifest.json")]
    assert {key: after[key] for key in kept} == {key: before[key] for key in kept}
    verify_release(folder_store, DATASET, name)
