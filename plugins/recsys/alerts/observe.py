"""What Airflow's own database says: runs that failed, DAG files that cannot be parsed, components that fell silent.

Only the watchdog reads it; tasks and callbacks have no access to this database.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from recsys.alerts.callbacks import NO_REASON, key_of, name_task, write_failure
from recsys.alerts.letter import FailedTask, Letter, to_json
from recsys.alerts.lookup import LookUp
from recsys.alerts.outbox import Note
from recsys.launch.outcome import FAULT
from recsys.links import log_url

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

TAG = "recsys"
BACK = timedelta(days=1)  # runs that ended before are no news
PATIENCE = timedelta(seconds=90)  # in which the run's own callback tells
SILENCE = timedelta(minutes=5)
COMPONENTS = {"SchedulerJob": "scheduler", "DagProcessorJob": "DAG processor", "TriggererJob": "triggerer"}
LAST_LINES = 3


@dataclass(frozen=True)
class Run:
    """A run that failed."""

    dag: str
    run: str
    cleared: int
    conf: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Return the key under which its callback tells."""
        return key_of(self.dag, self.run, self.cleared)


def list_failed_runs(session: Session, now: datetime) -> list[Run]:
    """Return this project's runs that failed within a day, and long enough ago for their callback to have told."""
    from airflow.models.dag import DagTag  # noqa: PLC0415  the models are ready only when this is called
    from airflow.models.dagrun import DagRun  # noqa: PLC0415
    from sqlalchemy import select  # noqa: PLC0415

    ours = select(DagTag.dag_id).where(DagTag.name == TAG)
    ended = (DagRun.end_date > now - BACK, DagRun.end_date <= now - PATIENCE)
    wanted = select(DagRun).where(DagRun.state == "failed", DagRun.dag_id.in_(ours), *ended).order_by(DagRun.end_date)
    return [
        Run(one.dag_id, one.run_id, one.clear_number or 0, one.conf if isinstance(one.conf, dict) else {})
        for one in session.scalars(wanted)
    ]


def write_run(session: Session, run: Run, dataset: str) -> Note:
    """Return the message about a failed run that its callback did not tell of."""
    look_up = LookUp()
    none: list[FailedTask] = []
    tasks = look_up("the failed tasks", none, _read_tasks, session, run)
    return write_failure(run.dag, run.run, dataset, "failed", tasks, look_up, cleared=run.cleared)


def _read_tasks(session: Session, run: Run) -> list[FailedTask]:
    from airflow.models.taskinstance import TaskInstance  # noqa: PLC0415
    from airflow.models.xcom import XComModel  # noqa: PLC0415
    from sqlalchemy import select  # noqa: PLC0415

    faults = {
        (row.task_id, row.map_index): XComModel.deserialize_value(row)
        for row in session.scalars(
            select(XComModel).where(XComModel.dag_id == run.dag, XComModel.run_id == run.run, XComModel.key == FAULT)
        )
    }
    failed = (
        select(TaskInstance)
        .where(TaskInstance.dag_id == run.dag, TaskInstance.run_id == run.run, TaskInstance.state == "failed")
        .order_by(TaskInstance.task_id, TaskInstance.map_index)
    )
    found = []
    for one in session.scalars(failed):
        fault = faults.get((one.task_id, one.map_index)) or {}
        number = fault.get("try_number", one.try_number)
        found.append(
            FailedTask(
                name=name_task(one.task_id, one.map_index, fault.get("command")),
                error=fault.get("error", NO_REASON),
                log_url=log_url(run.dag, run.run, one.task_id, one.map_index, number),
                try_number=number,
                tries=(one.max_tries or 0) + 1,
            )
        )
    return found


def list_unparsed(session: Session, now: datetime) -> list[Note]:
    """Return a message for each DAG file that cannot be parsed: its runs do not start, and nothing fails."""
    from airflow.models.errors import ParseImportError  # noqa: PLC0415
    from sqlalchemy import select  # noqa: PLC0415

    notes = []
    for one in session.scalars(select(ParseImportError).order_by(ParseImportError.filename)):
        last = [row.strip() for row in (one.stacktrace or "").splitlines() if row.strip()][-LAST_LINES:]
        digest = hashlib.sha256(" ".join(last).encode()).hexdigest()[:16]
        letter = Letter(
            what=f"{one.filename} cannot be parsed",
            sentences=[
                f"Airflow cannot parse {one.filename}: none of its DAGs starts a run until it can.",
                *last,
                "The whole traceback is in the Airflow UI, under Dag Import Errors.",
            ],
        )
        notes.append(
            Note(
                key=f"unparsed/{one.filename}/{digest}/{now:%Y-%m-%d}",
                kind="unparsed",
                scope=f"file {one.filename}",
                topic=digest,
                facts={"letter": to_json(letter)},
            )
        )
    return notes


def list_silent(session: Session, now: datetime) -> list[Note]:
    """Return a message for each component of Airflow that ran once and has had no heartbeat for five minutes."""
    from airflow.jobs.job import Job  # noqa: PLC0415
    from sqlalchemy import func, select  # noqa: PLC0415

    notes = []
    for kind, name in COMPONENTS.items():
        last = session.scalar(select(func.max(Job.latest_heartbeat)).where(Job.job_type == kind))
        if last is None or now - last < SILENCE:
            continue
        letter = Letter(
            what=f"the {name} is silent",
            sentences=[
                f"Airflow's {name} has had no heartbeat since {last.astimezone(UTC):%Y-%m-%d %H:%M:%S %Z}.",
                "Runs do not go on without it; what is served stays.",
                "Look at its log, and start it again: `make up`, or without Docker `make local-up`.",
            ],
        )
        notes.append(
            Note(
                key=f"silent/{name}/{last:%Y%m%dT%H%M%S}/{now:%Y-%m-%d}",
                kind="silent",
                scope=f"the {name}",
                topic="silent",
                facts={"letter": to_json(letter)},
            )
        )
    return notes
