"""Listener of Airflow: when a run of `retrain_nightly` ends, its note says in one line what it came to.

A listener, because tasks and callbacks have no way to write a note: of Airflow's interfaces only the REST API has one,
and a password of a user would have to lie with the workers. Listeners are called where the end of a run is recorded, in
the scheduler, or in the API server when somebody marks a run: in processes that have Airflow's database anyway.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow.listeners import hookimpl

from recsys.launch.outcome import FAULT, REPORT, SKIPPED
from recsys.links import page_url
from recsys.note import Ended, describe_run

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

log = logging.getLogger(__name__)
DAG = "retrain_nightly"


class Notes:
    """The listener; an error in it is logged and changes nothing."""

    @hookimpl
    def on_dag_run_success(self, dag_run: DagRun, msg: str) -> None:
        """Write the note."""
        write_note(dag_run, msg, succeeded=True)

    @hookimpl
    def on_dag_run_failed(self, dag_run: DagRun, msg: str) -> None:
        """Write the note."""
        write_note(dag_run, msg, succeeded=False)


def write_note(dag_run: DagRun, reason: str, *, succeeded: bool) -> None:
    """Set the note of a run, unless a person wrote one."""
    if dag_run.dag_id != DAG:
        return
    try:
        note = describe_run(read_ended(dag_run.run_id, reason, succeeded=succeeded))
        save_note(dag_run, f"{note} ([history]({page_url('run', run=dag_run.run_id)}))")
    except Exception:
        log.exception("run %s has no note: what it came to could not be read", dag_run.run_id)


def save_note(dag_run: DagRun, note: str) -> None:
    """Let the caller's session save the note, together with the state of the run, on whose row it may have a lock."""
    from airflow.models.dagrun import DagRun as Run  # noqa: PLC0415
    from airflow.utils.session import create_session  # noqa: PLC0415
    from sqlalchemy.orm import object_session  # noqa: PLC0415

    def set_note(run: DagRun) -> None:
        if run.dag_run_note is None or run.dag_run_note.user_id is None:
            run.note = note

    if object_session(dag_run) is not None:
        set_note(dag_run)
        return
    with create_session(scoped=False) as session:  # `airflow dags test` has a run without a session
        set_note(session.get_one(Run, dag_run.id))


def read_ended(run: str, reason: str, *, succeeded: bool) -> Ended:
    """Read the XComs and the failed tasks of a run, in a session of its own: an error must not spoil the caller's."""
    # The plugin is loaded by every component; its models are ready only when the first run ends.
    from airflow.models.taskinstance import TaskInstance  # noqa: PLC0415
    from airflow.models.xcom import XComModel  # noqa: PLC0415
    from airflow.utils.session import create_session  # noqa: PLC0415
    from sqlalchemy import select  # noqa: PLC0415

    found: dict[str, dict[str, list[Any]]] = {REPORT: {}, FAULT: {}, SKIPPED: {}}
    wanted = select(XComModel).where(XComModel.dag_id == DAG, XComModel.run_id == run, XComModel.key.in_(found))
    ended = select(TaskInstance.task_id).where(TaskInstance.dag_id == DAG, TaskInstance.run_id == run)
    with create_session(scoped=False) as session:
        for row in session.scalars(wanted):
            found[row.key].setdefault(row.task_id, []).append(XComModel.deserialize_value(row))
        failed = list(session.scalars(ended.where(TaskInstance.state == "failed").order_by(TaskInstance.end_date)))
    return Ended(
        succeeded=succeeded,
        reason=reason,
        failed=failed,
        faults={task: str(values[0]["error"]) for task, values in found[FAULT].items()},
        skipped=next(iter(found[SKIPPED].get("scan", [])), None),
        reports=found[REPORT],
    )
