"""What has changed since the release that is served: told by the checks of the next run, by limits of the preset."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tasks.errors import ValidationFailed
from tasks.quality import Report
from tasks.runs.checks import read_last
from tasks.steps.align import align
from tasks.steps.check_dataset import check_dataset
from tasks.steps.check_embeddings import check_embeddings
from tasks.steps.publish import publish
from tasks.store import History, Store, read_artefact
from tests.steps import shop
from tests.steps.night import DATASET, MODELS, reach_publish

pytestmark = pytest.mark.services
MODALITIES = ("image", "audio")
SCORES = dict.fromkeys(MODELS, 0.5)


def failures(store: Store, run: str, suite: str) -> set[str]:
    """The critical expectations that failed."""
    report = Report.model_validate(read_artefact(store, f"runs/{run}/{suite}").json("report.json"))
    return {check.expectation for check in report.failures}


@pytest.fixture
def served(folder_store: Store, history: History) -> Store:
    """The release of run `a`, whose log has 120 users, is served."""
    reach_publish(folder_store, history, "a", SCORES)
    check_dataset(run="a")
    assert publish(run="a")["outcome"] == "promoted"
    return folder_store


@pytest.mark.parametrize(
    ("users", "rules", "failed"),
    [
        (125, {}, set()),
        (60, {}, {"drift_rows_lost", "drift_users_lost"}),
        (60, {"drift": {"rows_lost": 0.6}}, {"drift_users_lost"}),
        (60, {"drift": {"rows_lost": 0.6, "users_lost": 0.6}}, set()),
    ],
    ids=["a log that grew", "half of it", "as many rows as the preset accepts", "and as many users"],
)
def test_a_log_that_was_cut_stops_the_run(
    served: Store, history: History, users: int, rules: dict[str, Any], failed: set[str]
) -> None:
    """Unless the preset says that so much may go."""
    reach_publish(served, history, "b", SCORES, users=users, rules=rules)
    if failed:
        with pytest.raises(ValidationFailed):
            check_dataset(run="b")
    else:
        check_dataset(run="b")
    assert failures(served, "b", "check-dataset") == failed


def test_users_and_items_are_compared_with_those_of_the_release(served: Store, history: History) -> None:
    """Not with what the run before saw: shares of new and of lost ones are in the profile."""
    reach_publish(served, history, "b", SCORES, users=150)
    check_dataset(run="b")
    (profile,) = history.profiles("b", "check-dataset")
    shares = {
        name: round(profile["measures"][name], 3) for name in ("users_new", "users_lost", "items_new", "items_lost")
    }
    assert shares == {"users_new": 0.2, "users_lost": 0, "items_new": 0, "items_lost": 0}


def test_a_rejected_run_is_no_measure(served: Store, history: History) -> None:
    """The run before last may have halved the log; what is served is what the next one is compared with."""
    reach_publish(served, history, "b", SCORES, users=60)
    with pytest.raises(ValidationFailed):
        check_dataset(run="b")
    assert read_last(DATASET, "check-dataset")["log"].measures["users"] == 120
    reach_publish(served, history, "c", SCORES, users=60)
    with pytest.raises(ValidationFailed, match="drift_"):
        check_dataset(run="c")


def test_a_served_release_that_is_gone_is_told(served: Store, history: History) -> None:
    """It does not stop the run that would replace it; rows are compared with the profile still."""
    reach_publish(served, history, "b", SCORES)
    for info in list(served.list("releases/")):
        served.delete(info.key)
    check_dataset(run="b")
    report = Report.model_validate(read_artefact(served, "runs/b/check-dataset").json("report.json"))
    (told,) = [check for check in report.warnings if check.expectation == "served_release_is_read"]
    assert "is not" in told.observed
    assert "drift_rows_lost" in {check.expectation for check in report.results}


def test_without_a_database_nothing_is_compared(
    served: Store, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is served there."""
    reach_publish(served, history, "b", SCORES, users=60)
    monkeypatch.setenv("RECSYS_METRICS_DSN", "none")
    check_dataset(run="b")
    profiles = read_artefact(served, "runs/b/check-dataset").json("profiles.json")
    assert [profile["subject"] for profile in profiles] == ["log"]


@pytest.fixture
def shown(folder_store: Store, history: History, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A shop with 40 items, of which the run `one` made what is served."""
    shop.use(monkeypatch, shop.encoders())
    items = [str(number) for number in range(1, 41)]
    shop.drop(folder_store, items, MODALITIES)
    shop.load_log(folder_store, items)
    shop.night("one", MODALITIES)
    align(run="one")
    check_embeddings(run="one")
    shop.decide(folder_store, history, "one")
    return folder_store


def test_vectors_are_compared_with_those_of_the_release(shown: Store, history: History) -> None:
    """A feature that lost half of its rows stops the run; what it was like is kept for the next one."""
    for number in range(1, 21):
        shown.delete(shop.key_of("image", str(number)))
    shop.night("two", MODALITIES)
    align(run="two")
    with pytest.raises(ValidationFailed):
        check_embeddings(run="two")
    report = Report.model_validate(read_artefact(shown, "runs/two/check-embeddings").json("report.json"))
    fallen = {check.column: check.observed for check in report.failures if check.expectation == "drift_rows_lost"}
    assert fallen == {"image": "20 after 40"}
    profiles = {profile["subject"]: profile for profile in history.profiles("two", "check-embeddings")}
    assert set(profiles) == set(MODALITIES)
    before = read_last(shop.DATASET, "check-embeddings")
    assert profiles["audio"]["origin"] == before["audio"].origin
    assert np.isclose(profiles["audio"]["measures"]["norm_median"], before["audio"].measures["norm_median"])
