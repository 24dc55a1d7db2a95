"""The note of a run: one line with what it came to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from recsys import listener
from recsys.note import LONGEST, Ended, describe_run
from sqlalchemy import orm

PUBLISH = {
    "outcome": "promoted",
    "model": "hybrid",
    "reason": "better",
    "valid_ndcg@20": 0.24971,
    "figures": "ndcg@20 .2497 (+.0021, +.0004 to +.0038)",
}
COUNTS = {"prepare": [{"arrivals": 3}], "extract": [{"rejected": 1}, {"rejected": 2}]}


def test_warnings_of_both_checks_are_one_number() -> None:
    """The note counts what informs and does not stop."""
    reports = {"check-embeddings": [{"warnings": 2}], "check-dataset": [{"warnings": 1}]}
    assert describe_run(Ended(True, "success", reports=reports)) == "succeeded, 3 warnings"


def test_a_promotion_has_its_figures_and_what_arrived_and_was_refused() -> None:
    """The difference to the champion with its interval, where the gate measured one; files of all features together."""
    run = Ended(True, "success", reports=COUNTS | {"publish": [PUBLISH]})
    tail = "3 arrivals, 3 files refused"
    assert describe_run(run) == f"promoted hybrid, NDCG@20 .2497 (+.0021, +.0004 to +.0038), {tail}"
    earlier = {name: value for name, value in PUBLISH.items() if name != "figures"}
    assert describe_run(Ended(True, "success", reports={"publish": [earlier]})) == "promoted hybrid, NDCG@20 0.2497"
    one = {"prepare": [{"arrivals": 1}], "extract": [{"rejected": 1}]}
    assert describe_run(Ended(True, "success", reports=one)) == "succeeded, 1 arrival, 1 file refused"


def test_a_rejection_says_why() -> None:
    """In the gate's own words."""
    rejected = PUBLISH | {"outcome": "rejected", "reason": "ndcg@20 .2200 (-.0200, ...): too much"}
    run = Ended(True, "success", reports={"publish": [rejected]})
    assert describe_run(run) == "rejected hybrid: ndcg@20 .2200 (-.0200, ...): too much"


def test_a_failure_names_the_first_task_and_its_reason() -> None:
    """Others are counted; without a failed task Airflow's word stands; what was promoted before is said first."""
    faults = {"train": "train ended with exit code 1: the loss is NaN"}
    run = Ended(False, "task_failure", failed=["train", "evaluate"], faults=faults)
    assert describe_run(run) == "failed at train (and 1 more): train ended with exit code 1: the loss is NaN"
    assert describe_run(Ended(False, "task_failure", failed=["models"])) == "failed at models: its log says why"
    assert describe_run(Ended(False, "timed_out")) == "failed: timed_out"
    late = Ended(False, "task_failure", failed=["announce"], reports={"publish": [PUBLISH | {"figures": None}]})
    assert describe_run(late) == "promoted hybrid, NDCG@20 0.2497, failed at announce: its log says why"


def test_a_note_fits_on_its_line_and_in_its_column() -> None:
    """A sentence may be longer than Airflow stores, and have line breaks; that it goes on is said."""
    note = describe_run(Ended(True, "success", skipped="nothing\nis new " + "since then " * 200))
    assert note.startswith("skipped: nothing is new since then")
    assert note.endswith("... (more in the logs)")
    assert len(note) <= LONGEST


@pytest.mark.parametrize(("author", "left"), [("7", "mine"), (None, "succeeded")])
def test_what_a_person_wrote_stays(monkeypatch: pytest.MonkeyPatch, author: str | None, left: str) -> None:
    """Our own note of an earlier end is replaced."""
    monkeypatch.setattr(orm, "object_session", lambda _: True)
    run: Any = SimpleNamespace(note="mine", dag_run_note=SimpleNamespace(user_id=author))
    listener.save_note(run, "succeeded")
    assert run.note == left


def test_a_note_ends_with_the_way_to_the_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the longest one fits with it into what Airflow stores."""
    run = "manual__2026-01-01T00:00:00+00:00"
    said: list[str] = []
    monkeypatch.setattr(
        listener, "read_ended", lambda *_, **__: Ended(True, "success", skipped="nothing is new " * 200)
    )
    monkeypatch.setattr(listener, "save_note", lambda _, note: said.append(note))
    listener.write_note(SimpleNamespace(dag_id="retrain_nightly", run_id=run), "success", succeeded=True)  # type: ignore[arg-type]
    (note,) = said
    assert note.endswith(f" ([history](http://airflow.test:8080/plugin/recsys/recsys/run?run={quote(run, safe='')}))")
    assert len(note) <= 1000


def test_other_dags_have_notes_of_their_own() -> None:
    """Only runs of `retrain_nightly` are described."""
    run: Any = SimpleNamespace(dag_id="other", note=None)
    listener.write_note(run, "success", succeeded=True)
    assert run.note is None


def test_a_note_that_cannot_be_made_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The listener is called where the scheduler records the end of the run."""

    def fail(*_: object, **__: object) -> Ended:
        raise OSError("the database is away")

    monkeypatch.setattr(listener, "read_ended", fail)
    run: Any = SimpleNamespace(dag_id="retrain_nightly", run_id="r", note=None)
    listener.write_note(run, "success", succeeded=True)
    assert run.note is None
    assert "run r has no note" in caplog.text
