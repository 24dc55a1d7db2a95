"""`maintenance`: once a day house is kept, and one task that fails stops no other."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.models.log import Log
from airflow.sdk.exceptions import AirflowSkipException
from airflow.utils.session import create_session
from recsys import cleaning
from recsys.alerts import outbox
from recsys.daily import is_due, require_due
from sqlalchemy import select

from tests.dags.test_outbox import NOTE

if TYPE_CHECKING:
    from airflow.sdk import DAG

RunDag = Callable[..., Any]
HOUSE = {"verify", "gc", "compact-cache", "airflow_is_clean"}


@pytest.fixture(autouse=True)
def empty_outbox(post: Any) -> None:
    """Nothing is due there, unless a test puts something in."""


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of logs."""
    folder = tmp_path / "logs"
    folder.mkdir()
    monkeypatch.setattr(cleaning, "logs_folder", lambda: folder)
    return folder


def write_note(logs: Path, *, age: timedelta = timedelta(0), code: int = 0) -> None:
    """What the service notes."""
    at = (datetime.now(UTC) - age).isoformat()
    (logs / cleaning.NOTE).write_text(json.dumps({"at": at, "code": code, "said": "no table", "files": 0}))


@pytest.mark.usefixtures("logs")
def test_a_run_that_somebody_starts_keeps_house(run_dag: RunDag, dags: dict[str, DAG]) -> None:
    """All commands, in any order; nothing is removed without `--delete`. Without the service its task is skipped."""
    ran = run_dag(dags["maintenance"])
    assert ran.state == "success"
    assert sorted(ran.commands) == [["compact-cache"], ["gc", "--delete"], ["verify"]]
    assert ran.states()["airflow_is_clean"] == {"skipped"}


def test_a_task_that_fails_stops_no_other(run_dag: RunDag, dags: dict[str, DAG], logs: Path) -> None:
    """The run fails, and its callback mails."""
    write_note(logs)
    outcomes = {"verify": (10, "a release is damaged"), "compact-cache": (2, "a part is damaged")}
    ran = run_dag(dags["maintenance"], outcomes)
    assert ran.state == "failed"
    states = {task: state for task, state in ran.states().items() if task in HOUSE}
    assert states == {task: {"failed" if task in outcomes else "success"} for task in HOUSE}


def test_an_airflow_that_is_not_cleaned_is_told(run_dag: RunDag, dags: dict[str, DAG], logs: Path) -> None:
    """At the first try, with what the service noted, as the failure of a task; also if it notes nothing any more."""
    write_note(logs, code=1)
    ran = run_dag(dags["maintenance"])
    assert (ran.state, ran.states()["airflow_is_clean"]) == ("failed", {"failed"})
    assert ran.tasks["airflow_is_clean", -1].try_number == 1
    assert "ended with exit code 1 at " in fault_of(logs)
    assert fault_of(logs).endswith("UTC: no table")
    write_note(logs, age=timedelta(days=3))
    assert re.search(r"last cleaned at .* UTC, expected it daily", fault_of(logs))
    write_note(logs, age=timedelta(days=1))
    assert fault_of(logs) == "None"


def fault_of(logs: Path) -> str:
    """What is wrong with the note."""
    return str(cleaning.find_fault(cleaning.read_note(logs) or {}, datetime.now(UTC)))


@pytest.mark.parametrize(
    ("now", "before", "due"),
    [
        ("2026-03-02 04:00", "2026-03-02 03:50", True),
        ("2026-03-02 04:10", "2026-03-02 04:00", False),
        ("2026-03-02 03:50", "2026-03-02 03:40", False),
        ("2026-03-02 03:50", "2026-03-01 03:50", True),
        ("2026-03-02 15:00", "2026-03-02 03:50", True),
        ("2026-03-02 15:00", None, True),
    ],
)
def test_the_first_run_after_four_is_due(now: str, before: str | None, due: bool) -> None:
    """Whatever was missed; all others skip the tasks of the day."""
    moments = [datetime.fromisoformat(f"{moment}+00:00") if moment else None for moment in (now, before)]
    assert moments[0] is not None
    assert is_due(moments[0], moments[1]) == due
    run = SimpleNamespace(run_type="scheduled", run_after=moments[0])
    last = SimpleNamespace(run_after=moments[1]) if moments[1] else None
    context: Any = {"dag_run": run, "ti": SimpleNamespace(get_previous_dagrun=lambda: last)}
    if due:
        require_due(context)
        return
    with pytest.raises(AirflowSkipException):
        require_due(context)


@pytest.mark.usefixtures("metadata_database")
def test_old_rows_and_logs_are_removed(logs: Path) -> None:
    """By Airflow's own command, on its own tables; what is younger stays, and the note says how it ended."""
    now = datetime.now(UTC)
    for days in (10, 50):
        path = logs / f"dag_id=x/run_id={days}/attempt=1.log"
        path.parent.mkdir(parents=True)
        path.write_text("a line")
        moment = time.time() - days * 86400
        for one in (path, path.parent):
            os.utime(one, (moment, moment))
    with create_session() as session:
        for days in (10, 50):
            row = Log(event=f"kept {days}")
            row.dttm = now - timedelta(days=days)
            session.add(row)
    cleaning.clean(logs, 30, now)
    note = cleaning.read_note(logs)
    assert note is not None
    assert (note["code"], note["files"], note["said"]) == (0, 1, "")
    assert [path.name for path in (logs / "dag_id=x").iterdir()] == ["run_id=10"]
    with create_session() as session:
        assert list(session.scalars(select(Log.event).where(Log.event.startswith("kept ")))) == ["kept 10"]
    assert cleaning.find_fault(note, now) is None


def test_a_wrong_number_of_days_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is removed."""
    monkeypatch.setenv(cleaning.DAYS, "0")
    with pytest.raises(ValueError, match=r"RECSYS_KEEP_AIRFLOW_DAYS is '0', expected a whole number of days"):
        cleaning.main([])


@pytest.mark.usefixtures("logs")
def test_what_could_not_be_sent_is_sent(
    run_dag: RunDag, dags: dict[str, DAG], post: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By any run, whatever became of the house."""
    monkeypatch.setenv("RECSYS_ALERT_TO", "one@example.org")
    outbox.tell(NOTE)
    run_dag(dags["maintenance"], {"verify": (10, "a release is damaged")})
    (mail,) = post.arrived()
    assert mail["Subject"] == "[recsys] films: scan failed (retrain_nightly, night)"
