"""What people are told when a run fails, with the real DAG processor, PostgreSQL and a mail server."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowTaskTimeout
from recsys.alerts.callbacks import compose
from recsys.alerts.letter import from_json
from recsys.alerts.render import render
from recsys.launch.outcome import log_failed_task, log_failed_try

from tests.dags.mailbox import bodies, with_history

if TYPE_CHECKING:
    from airflow.sdk import DAG

RUN = "manual__2026-03-01T02:00:00+00:00"
REPORT: dict[str, Any] = {
    "suite": "dataset",
    "success": False,
    "profiles": [],
    "results": [
        {
            "expectation": "interactions cover the media",
            "column": "item_id",
            "expected": ">= 0.9",
            "observed": "0.2",
            "unexpected_count": 800,
            "element_count": 1000,
            "sample_ids": [f"tt{number:04}" for number in range(10)],
            "success": False,
            "severity": "critical",
            "type": "ExpectColumnValuesToBeInSet",
            "arguments": {"column": "good", "mostly": 1.0},
        },
        {
            "expectation": "user ids are unique",
            "column": "user_id",
            "expected": "unique",
            "observed": "unique",
            "unexpected_count": 0,
            "element_count": 1000,
            "sample_ids": [],
            "success": True,
            "severity": "critical",
            "type": "ExpectColumnValuesToBeInSet",
            "arguments": {"column": "good", "mostly": 1.0},
        },
    ],
}
RECORD = """
import json, sys
from tasks.store import open_history
run, report = sys.argv[1], json.loads(sys.argv[2])
with open_history() as history:
    history.start_run(run, "films", {}, None)
    history.record_validation(run, report)
"""
PROMOTE = """
import sys
from tasks.store import open_history
with open_history() as history:
    history.start_run("night-1", sys.argv[1], {}, None)
    assert history.promote(sys.argv[1], "night-1", "vbpr", "release-of-night-1", {}, "0" * 64, seen=None)
"""


def test_a_failed_validation_is_one_mail_with_the_evidence(
    run_dag: Callable[..., Any], retrain: DAG, post: Any, tell: Callable[..., str]
) -> None:
    """Dataset, run and link, the failed expectation and only that, ten item ids, what is being served."""
    with_history(PROMOTE, "films")
    ran = run_dag(retrain, {"check-dataset": (10, "1 of 2 expectations failed")}, dataset="films")
    with_history(RECORD, ran.run.run_id, json.dumps(REPORT))
    tell(ran.run)
    (mail,) = post.arrived()
    assert mail["Subject"] == f"[recsys] films: validation failed, 1 expectation (retrain_nightly, {ran.run.run_id})"
    assert mail["To"] == "one@example.org, two@example.org"
    assert mail["From"] == "airflow@example.org"
    facts = [
        "films",
        ran.run.run_id,
        "release-of-night-1",
        "vbpr",
        "check-dataset",
        "try 1, not retried",
        "1 of 2 expectations failed",
    ]
    facts += [
        "interactions cover the media on item_id",
        "0.9",
        "0.2",
        "800 of 1000",
        *REPORT["results"][0]["sample_ids"],
    ]
    facts += ["http://airflow.test:8080/dags/retrain_nightly/runs/manual__", "/tasks/check-dataset?try_number=1"]
    facts += ["/plugin/recsys/recsys/run?dataset=films&run=manual__"]
    plain, markup = bodies(mail)
    assert [fact for fact in facts if fact not in plain] == []
    assert [fact for fact in facts if fact.replace("&", "&amp;").replace(">", "&gt;") not in markup] == []
    assert "user ids are unique" not in plain
    assert "Not available" not in plain


def test_faults_are_one_mail_with_every_failed_task_and_its_last_error(
    run_dag: Callable[..., Any], impatient: dict[str, DAG], post: Any, tell: Callable[..., str]
) -> None:
    """Two models failed: both are named, with their tries; nobody is told twice."""
    outcomes = {"train/bpr": (1, "the loss is NaN"), "evaluate/ease": (137, "")}
    ran = run_dag(impatient["retrain_nightly"], outcomes, dataset="fresh", models=["popularity", "ease", "bpr"])
    tell(ran.run)
    (mail,) = post.arrived()
    assert "[recsys] fresh: evaluate (ease) and 1 more failed" in mail["Subject"]
    (plain, _) = bodies(mail)
    assert "Failed: train (bpr), try 4 of 4 train ended with exit code 1: the loss is NaN" in plain
    assert "Failed: evaluate (ease), try 4 of 4 evaluate ended with exit code 137 (out of memory, or killed" in plain
    assert "/tasks/train/mapped/2?try_number=4" in plain
    assert "The release that fresh is served from does not exist yet." in plain


@pytest.mark.fault("F9")
def test_the_mail_goes_out_when_the_metrics_database_is_away(
    run_dag: Callable[..., Any], retrain: DAG, post: Any, tell: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what could not be found out, and shows no password."""
    monkeypatch.setenv("AIRFLOW_CONN_METRICS_DB", "postgresql://metrics:very-secret@127.0.0.1:1/metrics")
    ran = run_dag(retrain, {"scan": (2, "dataset 'films' has no media")}, dataset="films")
    tell(ran.run)
    (mail,) = post.arrived()
    (plain, _) = bodies(mail)
    assert "scan ended with exit code 2 (bad input): dataset 'films' has no media" in plain
    assert "Not available: the failed expectations (OperationalError" in plain
    assert "The release that films is served from is not known." in plain
    assert "very-secret" not in mail.as_string()


@pytest.mark.fault("F20")
def test_an_alert_that_cannot_be_sent_is_loud_in_the_log_and_changes_nothing(
    run_dag: Callable[..., Any], retrain: DAG, post: Any, tell: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listens on the mail server's port."""
    monkeypatch.setenv(
        "AIRFLOW_CONN_SMTP_DEFAULT",
        '{"conn_type": "smtp", "host": "127.0.0.1", "port": 1, "extra": {"disable_ssl": true}}',
    )
    ran = run_dag(retrain, {"scan": (2, "no")})
    log = tell(ran.run)
    assert "was not sent by email, try 1: it is tried again" in log
    assert "ConnectionRefusedError" in log
    assert ran.run.state == "failed"


def test_without_recipients_the_log_says_what_to_set(
    run_dag: Callable[..., Any], retrain: DAG, post: Any, tell: Callable[..., str]
) -> None:
    """An unset RECSYS_ALERT_TO is no error, and no silence."""
    ran = run_dag(retrain, {"scan": (2, "no")})
    assert "no alert was sent: RECSYS_ALERT_TO is not set" in tell(ran.run, to="")
    assert post.arrived() == []


def test_a_run_that_timed_out_is_told_without_a_failed_task(
    run_dag: Callable[..., Any], retrain: DAG, post: Any
) -> None:
    """Airflow may know no task that ended the run; then the context is small and the mail too."""
    alert = from_json(compose({"dag": retrain, "run_id": RUN, "reason": "timed_out"}).facts["letter"])
    told = render(alert)
    assert told.subject == f"[recsys] unknown dataset: run ended: timed_out (retrain_nightly, {RUN})"
    assert "The run ended with: timed_out" in told.text
    assert (
        alert.run_url == "http://airflow.test:8080/dags/retrain_nightly/runs/manual__2026-03-01T02%3A00%3A00%2B00%3A00"
    )


def test_failing_looks_in_a_row_are_one_mail(
    run_dag: Callable[..., Any], dags: dict[str, DAG], post: Any, tell: Callable[..., str]
) -> None:
    """A DAG that runs every ten minutes does not mail every ten minutes."""
    for _ in range(2):
        ran = run_dag(dags["ingest_media"], {"discover": (2, "no media")}, dataset="films")
        log = tell(ran.run)
    assert "repeats message" in log
    (mail,) = post.arrived()
    assert mail["Subject"].startswith("[recsys] films: discover failed (ingest_media, ")


def test_a_failed_task_is_one_line_in_its_log(caplog: pytest.LogCaptureFixture) -> None:
    """Task, tries and error, at the end; no mail."""
    ti = SimpleNamespace(task_id="train", try_number=4)
    context: Any = {"ti": ti, "task": SimpleNamespace(retries=3), "exception": ValueError("the loss is NaN")}
    log_failed_task(context)
    assert caplog.messages[-1] == "train failed for good, try 4 of 4: the loss is NaN"


def test_a_task_that_hangs_is_said_to_have_passed_its_limit(caplog: pytest.LogCaptureFixture) -> None:
    """Airflow's own words are a process number."""
    task = SimpleNamespace(retries=3, execution_timeout=timedelta(hours=2))
    context: Any = {"ti": SimpleNamespace(task_id="align", try_number=1), "task": task}
    log_failed_try(context | {"exception": AirflowTaskTimeout("Timeout, PID: 7")})
    said = "align failed and is tried again later, try 1 of 4: it took longer than 2:00:00, its limit, and was ended"
    assert caplog.messages[-1] == f"{said} (execution_timeout)"
