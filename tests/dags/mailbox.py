"""What a DAG's callback mails: the real DAG processor, and the folder of a mail server."""

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
from contextlib import closing
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import psycopg2
import structlog
from airflow.dag_processing.processor import DagFileProcessorProcess
from airflow.models.dagrun import DagRun
from airflow.sdk.api.client import Client
from airflow.sdk.execution_time.supervisor import in_process_api_server
from airflow.utils.session import create_session
from sqlalchemy import select
from uuid6 import uuid7

from tests import control_plane

DEADLINE = 60.0


class Post:
    """The mail server's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.before = set(folder.glob("*.eml"))

    def arrived(self) -> list[EmailMessage]:
        """The mails that came since this test began."""
        new = sorted(set(self.folder.glob("*.eml")) - self.before)
        return [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in new]


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
    """What the scheduler sends for a run that ended: the task that ended it last comes along."""
    with create_session() as session:
        found = session.scalars(select(DagRun).where(DagRun.id == run.id)).one()
        good = found.state == "success"
        ended = [ti for ti in found.get_task_instances(session=session) if ti.state == found.state]
        last = max(ended, key=lambda ti: str(ti.end_date), default=None)
        reason = "success" if good else "task_failure"
        return uuid7(), found.produce_dag_callback(None, success=good, relevant_ti=last, reason=reason)  # type: ignore[arg-type]


def change(dsn: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Change the metrics database, or ask it."""
    with closing(psycopg2.connect(dsn)) as database, database, database.cursor() as sql:
        sql.execute(statement, values)
        return sql.fetchall() if sql.description else []


def with_history(program: str, *arguments: str) -> None:
    """Run a program of the task package's environment: what it writes is what the alert reads."""
    command = [str(control_plane.TASKS_PYTHON), "-c", program, *arguments]
    subprocess.run(command, cwd=control_plane.ROOT, env=dict(os.environ), check=True)


def bodies(mail: EmailMessage) -> list[str]:
    """Plain text and HTML, each with its line breaks as blanks."""
    return [" ".join(part.get_content().split()) for part in mail.iter_parts()]
