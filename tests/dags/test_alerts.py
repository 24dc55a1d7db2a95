"""What people are told when a run fails, with the real DAG processor, PostgreSQL and a mail server."""

from __future__ import annotations

import email
import email.policy
import io
import json
import os
import selectors
import subprocess
import time
import warnings
from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from airflow.dag_processing.processor import DagFileProcessorProcess
from airflow.models.dagrun import DagRun
from airflow.sdk.api.client import Client
from airflow.sdk.exceptions import AirflowTaskTimeout
from airflow.sdk.execution_time.supervisor import in_process_api_server
from airflow.utils.session import create_session
from recsys.alerts import callbacks
from recsys.alerts.callbacks import compose
from recsys.alerts.letter import subject
from recsys.launch.outcome import log_failed_task, log_failed_try
from sqlalchemy import select
from uuid6 import uuid7

from tests import control_plane

if TYPE_CHECKING:
    from airflow.sdk import DAG

DEADLINE = 60.0
RUN = "manual__2026-03-01T02:00:00+00:00"
REPORT: dict[str, Any] = {
    "suite": "dataset",
    "success": False,
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


class Post:
    """The mail server's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.before = set(folder.glob("*.eml"))

    def arrived(self) -> list[EmailMessage]:
        """The mails that came since this test began."""
        new = sorted(set(self.folder.glob("*.eml")) - self.before)
        return [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in new]


@pytest.fixture
def post(servers: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Post:
    """Everything an alert needs, in the environment as the stack sets it."""
    smtp = {"disable_ssl": True, "disable_tls": True, "from_email": "airflow@example.org"}
    connection = {"conn_type": "smtp", "host": "127.0.0.1", "port": servers["smtp_port"], "extra": smtp}
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("AIRFLOW_CONN_METRICS_DB", servers["dsn"])
    monkeypatch.setenv("RECSYS_METRICS_DSN", servers["dsn"])
    return Post(Path(servers["mails"]))


@pytest.fixture
def tell(post: Post, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Have the DAG processor run a finished run's failure callback, as the scheduler asks it to; returns its log."""

    def call(run: DagRun, to: str = "one@example.org, two@example.org") -> str:
        with (
            monkeypatch.context() as only_now
        ):  # `dag.test` calls the callback too, in a process that can look up nothing
            only_now.setenv("RECSYS_ALERT_TO", to)
            return run_callback(run)

    return call


def run_callback(run: DagRun) -> str:
    """The DAG processor's child process, with the API it would have."""
    client = Client(base_url=None, token="", dry_run=True, transport=in_process_api_server().transport)
    client.base_url = "http://in-process.invalid./"
    log = io.BytesIO()
    folder = control_plane.ROOT / "dags"
    request = callback_request(run)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # Airflow forgets its copy of a socket of the child's
        process = DagFileProcessorProcess.start(
            id=request[0],
            path=folder / f"{run.dag_id}.py",
            bundle_path=folder,
            bundle_name="dags-folder",
            dag_file_rel_path=f"{run.dag_id}.py",
            callbacks=[request[1]],
            selector=selectors.DefaultSelector(),
            logger=structlog.wrap_logger(
                structlog.BytesLogger(log), processors=[structlog.processors.JSONRenderer(serializer=to_bytes)]
            ),
            logger_filehandle=log,
            client=client,
        )
    deadline = time.monotonic() + DEADLINE
    while not process.is_ready:
        assert time.monotonic() < deadline
        process._service_subprocess(0.1)
    told = log.getvalue().decode()
    process.close()  # type: ignore[no-untyped-call]  # Airflow's
    return told


def to_bytes(value: Any, **options: Any) -> bytes:
    """JSON, one line."""
    return json.dumps(value, **options).encode()


def callback_request(run: DagRun) -> tuple[Any, Any]:
    """What the scheduler sends for a run that failed: the task that ended it last comes along."""
    with create_session() as session:
        found = session.scalars(select(DagRun).where(DagRun.id == run.id)).one()
        failed = [ti for ti in found.get_task_instances(session=session) if ti.state == "failed"]
        last = max(failed, key=lambda ti: str(ti.end_date), default=None)
        return uuid7(), found.produce_dag_callback(None, success=False, relevant_ti=last, reason="task_failure")  # type: ignore[arg-type]


def with_history(program: str, *arguments: str) -> None:
    """Run a program of the task package's environment: what it writes is what the alert reads."""
    command = [str(control_plane.TASKS_PYTHON), "-c", program, *arguments]
    subprocess.run(command, cwd=control_plane.ROOT, env=dict(os.environ), check=True)


def bodies(mail: EmailMessage) -> list[str]:
    """Plain text and HTML, each with its line breaks as blanks."""
    return [" ".join(part.get_content().split()) for part in mail.iter_parts()]


def test_a_failed_validation_is_one_mail_with_the_evidence(
    run_dag: Callable[..., Any], retrain: DAG, post: Post, tell: Callable[..., str]
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
    plain, markup = bodies(mail)
    assert [fact for fact in facts if fact not in plain] == []
    assert [fact for fact in facts if fact.replace(">", "&gt;") not in markup] == []
    assert "user ids are unique" not in plain
    assert "Not available" not in plain


def test_faults_are_one_mail_with_every_failed_task_and_its_last_error(
    run_dag: Callable[..., Any], impatient: dict[str, DAG], post: Post, tell: Callable[..., str]
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


def test_the_mail_goes_out_when_the_metrics_database_is_away(
    run_dag: Callable[..., Any], retrain: DAG, post: Post, tell: Callable[..., str], monkeypatch: pytest.MonkeyPatch
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


def test_an_alert_that_cannot_be_sent_is_loud_in_the_log_and_changes_nothing(
    run_dag: Callable[..., Any], retrain: DAG, post: Post, tell: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listens on the mail server's port."""
    monkeypatch.setenv(
        "AIRFLOW_CONN_SMTP_DEFAULT",
        '{"conn_type": "smtp", "host": "127.0.0.1", "port": 1, "extra": {"disable_ssl": true}}',
    )
    ran = run_dag(retrain, {"scan": (2, "no")})
    log = tell(ran.run)
    assert f"ALERT NOT SENT: run {ran.run.run_id} failed" in log
    assert "ConnectionRefusedError" in log
    assert ran.run.state == "failed"


def test_without_recipients_the_log_says_what_to_set(
    run_dag: Callable[..., Any], retrain: DAG, post: Post, tell: Callable[..., str]
) -> None:
    """An unset RECSYS_ALERT_TO is no error, and no silence."""
    ran = run_dag(retrain, {"scan": (2, "no")})
    assert "no alert was sent: RECSYS_ALERT_TO is not set" in tell(ran.run, to="")
    assert post.arrived() == []


def test_a_run_that_timed_out_is_told_without_a_failed_task(
    run_dag: Callable[..., Any], retrain: DAG, post: Post
) -> None:
    """Airflow may know no task that ended the run; then the context is small and the mail too."""
    alert = compose({"dag": retrain, "run_id": RUN, "reason": "timed_out"})
    assert subject(alert) == f"[recsys] unknown dataset: run ended: timed_out (retrain_nightly, {RUN})"
    assert (
        alert.run_url == "http://airflow.test:8080/dags/retrain_nightly/runs/manual__2026-03-01T02%3A00%3A00%2B00%3A00"
    )


@pytest.mark.parametrize(("before", "mails"), [("failed", 0), ("success", 1), (None, 1)])
def test_a_dag_that_runs_every_few_minutes_does_not_mail_every_few_minutes(
    before: str | None, mails: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second failure in a row is only logged."""
    sent: list[Any] = []
    monkeypatch.setattr(callbacks, "mail_failed_run", sent.append)
    previous = None if before is None else SimpleNamespace(state=before)
    callbacks.mail_first_failed_run({"run_id": RUN, "ti": SimpleNamespace(get_previous_dagrun=lambda: previous)})  # type: ignore[typeddict-item]
    assert len(sent) == mails


def test_failing_looks_in_a_row_are_one_mail(
    run_dag: Callable[..., Any], dags: dict[str, DAG], post: Post, tell: Callable[..., str]
) -> None:
    """The same, asked of Airflow's own record of the run before."""
    for _ in range(2):
        ran = run_dag(dags["ingest_media"], {"discover": (2, "no media")}, dataset="films")
        log = tell(ran.run)
    assert "as did the one before it" in log
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
