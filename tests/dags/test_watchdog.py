"""The watchdog on Airflow's own database, with a real PostgreSQL for the outbox and a real mail server."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.jobs.job import Job
from airflow.models.errors import ParseImportError
from airflow.utils.session import create_session
from recsys.watchdog import Watchdog, save

from tests.dags.mailbox import bodies, change
from tests.dags.test_decision_mails import record

if TYPE_CHECKING:
    from airflow.sdk import DAG


@pytest.fixture
def watching(post: Any, metadata_database: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Mail, and nothing else that could be told."""
    monkeypatch.setenv("RECSYS_ALERT_TO", "one@example.org")
    monkeypatch.setenv("RECSYS_OVERDUE_HOURS", "0")
    with create_session() as session:
        session.query(ParseImportError).delete()
        session.query(Job).delete()
        change_ends(session, timedelta(days=2))
    return post


def change_ends(session: Any, age: timedelta) -> None:
    """Let the runs of other tests have ended long ago."""
    from airflow.models.dagrun import DagRun

    for run in session.query(DagRun).filter(DagRun.state == "failed"):
        run.end_date = datetime.now(UTC) - age


def soon() -> datetime:
    """After the time in which a callback would have told."""
    return datetime.now(UTC) + timedelta(minutes=2)


def test_a_failed_run_whose_callback_was_killed_is_told_once(
    run_dag: Callable[..., Any], retrain: DAG, watching: Any
) -> None:
    """Here no callback ran at all; the mail has the task, its error, and the dataset."""
    ran = run_dag(retrain, {"train/ease": (2, "the log is empty")}, dataset="films", models=["ease"])
    watchdog = Watchdog()
    assert watchdog.look(datetime.now(UTC))["unsent"] == 0
    assert watching.arrived() == []  # its callback may still tell
    watchdog.look(soon())
    watchdog.look(soon())
    (mail,) = watching.arrived()
    assert mail["Subject"] == f"[recsys] films: train (ease) failed (retrain_nightly, {ran.run.run_id})"
    plain, _ = bodies(mail)
    assert "Failed: train (ease), try 1 of 4" in plain or "Failed: train (ease), try 1, not retried" in plain
    assert "train ended with exit code 2 (bad input): the log is empty" in plain
    assert "/tasks/train/mapped/0?try_number=1" in plain


def test_a_failed_run_whose_callback_told_is_not_told_again(
    run_dag: Callable[..., Any], retrain: DAG, watching: Any, tell: Callable[..., str]
) -> None:
    """Both write under the same key."""
    ran = run_dag(retrain, {"scan": (2, "no media")}, dataset="films", models=["ease"])
    tell(ran.run)
    Watchdog().look(soon())
    assert len(watching.arrived()) == 1


def test_a_dag_that_cannot_be_parsed_is_told_and_so_is_that_it_can_again(watching: Any) -> None:
    """With the last lines of the traceback; its runs would not start, and nothing would fail."""
    stack = "Traceback ...\n  File x\nSyntaxError: invalid syntax"
    with create_session() as session:
        session.add(ParseImportError(filename="mine.py", bundle_name="dags-folder", stacktrace=stack))
    watchdog = Watchdog()
    for _ in range(2):
        watchdog.look(datetime.now(UTC))
    (mail,) = watching.arrived()
    assert mail["Subject"] == "[recsys] mine.py cannot be parsed"
    assert "SyntaxError: invalid syntax" in bodies(mail)[0]
    with create_session() as session:
        session.query(ParseImportError).delete()
    for _ in range(2):
        watchdog.look(datetime.now(UTC))
    _, good = watching.arrived()
    assert good["Subject"] == "[recsys] good again"
    assert "Good again: unparsed, first told 20" in bodies(good)[0]


def test_a_scheduler_without_a_heartbeat_is_told_after_five_minutes(watching: Any) -> None:
    """Not while everything is starting; and that it is back."""
    job = Job(job_type="SchedulerJob")
    with create_session() as session:
        job.latest_heartbeat = datetime.now(UTC) - timedelta(minutes=6)
        session.add(job)
        session.flush()
        number = job.id
    watchdog = Watchdog()
    watchdog.look(datetime.now(UTC))
    assert watching.arrived() == []
    watchdog.started -= timedelta(minutes=5)
    watchdog.look(datetime.now(UTC))
    (mail,) = watching.arrived()
    assert mail["Subject"] == "[recsys] the scheduler is silent"
    with create_session() as session:
        session.get_one(Job, number).latest_heartbeat = datetime.now(UTC)
    watchdog.look(datetime.now(UTC))
    assert len(watching.arrived()) == 2


def test_a_dataset_without_a_good_release_for_26_hours_makes_it_unhealthy(
    watching: Any, servers: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its state names the dataset, for the health check; the mail says what is served."""
    monkeypatch.setenv("RECSYS_OVERDUE_HOURS", "26")
    record("late", "late-1", release="one")
    change(servers["dsn"], "UPDATE rec.run SET finished_at = now() WHERE dataset <> 'late'")
    change(servers["dsn"], "UPDATE rec.run SET finished_at = now() - interval '27 hours' WHERE dataset = 'late'")
    state = Watchdog().look(datetime.now(UTC))
    assert "late" in state["overdue"]
    save(state, tmp_path / "watchdog.json")
    assert json.loads((tmp_path / "watchdog.json").read_text()) == state
    (mail,) = [one for one in watching.arrived() if "late" in str(one["Subject"])]
    assert mail["Subject"] == "[recsys] late: no good release for 26 hours"
    assert "late is still served from release one, model hybrid, since 20" in bodies(mail)[0]


def test_when_the_databases_do_not_answer_it_says_so_once(watching: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the outbox, after five minutes; a look that fails does not end it."""
    with monkeypatch.context() as away:
        away.setenv("AIRFLOW_CONN_METRICS_DB", "postgresql://metrics:very-secret@127.0.0.1:1/metrics")
        watchdog = Watchdog()
        assert "OperationalError" in watchdog.look(datetime.now(UTC))["error"]
        assert watching.arrived() == []
        for minutes in (6, 7):
            watchdog.look(datetime.now(UTC) + timedelta(minutes=minutes))
    (mail,) = watching.arrived()
    assert mail["Subject"] == "[recsys] the watchdog sees nothing"
    assert "very-secret" not in mail.as_string()
    assert "error" not in watchdog.look(datetime.now(UTC))
