"""Callbacks of DAGs: one email for a failed run."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from recsys.alerts import evidence
from recsys.alerts.letter import Alert, FailedTask, markup, subject, text
from recsys.alerts.lookup import LookUp
from recsys.launch.outcome import FAULT
from recsys.links import log_url, run_url
from recsys.media import dataset_of

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)
RECIPIENTS = "RECSYS_ALERT_TO"


def mail_failed_run(context: Context) -> None:
    """DAG-level callback: send one email to RECSYS_ALERT_TO. Errors here do not change the outcome of the run."""

    def write() -> tuple[str, str, str]:
        alert = compose(context)
        return subject(alert), text(alert), markup(alert)

    deliver(context.get("run_id", "unknown run"), "failed", write)


def deliver(run: str, what: str, write: Callable[[], tuple[str, str, str]]) -> None:
    """Send what `write` returns: subject, text and HTML. `what` the run did is logged if that fails."""
    to = [address.strip() for address in os.environ.get(RECIPIENTS, "").replace(";", ",").split(",") if address.strip()]
    if not to:
        log.warning("run %s %s and no alert was sent: %s is not set, expected email addresses", run, what, RECIPIENTS)
        return
    try:
        # Every DAG file imports this module, and SMTP takes 0.4 s to import.
        from recsys.alerts.mail import send  # noqa: PLC0415

        send(to, *write())
    except Exception:
        log.exception("ALERT NOT SENT: run %s %s", run, what)
    else:
        log.info("alert about run %s sent to %d recipients", run, len(to))


def mail_first_failed_run(context: Context) -> None:
    """Like `mail_failed_run`, for a DAG that runs every few minutes: sends nothing if the previous run failed too."""
    try:
        before = context["ti"].get_previous_dagrun()
    except Exception:
        log.exception("could not find out whether the run before %s failed too", context["run_id"])
        before = None
    if before is not None and before.state == "failed":
        log.warning("run %s failed, as did the one before it: the alert sent then still holds", context["run_id"])
    else:
        mail_failed_run(context)


def compose(context: Context) -> Alert:
    """Collect the facts. Those that are unavailable are named in the email, which is sent anyway."""
    look_up = LookUp()
    dag, run = context["dag"].dag_id, context["run_id"]
    dataset = look_up(
        "the dataset", "unknown dataset", lambda: dataset_of(context["params"], context["triggering_asset_events"])
    )
    return Alert(
        dag=dag,
        run=run,
        run_url=run_url(dag, run),
        dataset=dataset,
        reason=str(context.get("reason", "failed")),
        tasks=look_up("the failed tasks", [], failed_tasks, context),
        failures=look_up("the failed expectations", [], evidence.read_failures, run),
        champion=look_up("the release that is being served", None, evidence.read_champion, dataset),
        gaps=look_up.gaps,
    )


def failed_tasks(context: Context) -> list[FailedTask]:
    """Return the tasks of the run that finally failed, with their recorded reasons."""
    if "ti" not in context:  # no task ended the run, for example when the whole run timed out
        return []
    ti, dag, run = context["ti"], context["dag"], context["run_id"]
    states = ti.get_task_states(dag_id=dag.dag_id, run_ids=[run]).get(run, {})
    return [_failed_task(context, name) for name, state in sorted(states.items()) if state == "failed"]


def _failed_task(context: Context, name: str) -> FailedTask:
    ti, dag = context["ti"], context["dag"]
    task_id, index = (name, -1) if dag.has_task(name) else (name.rpartition("_")[0], int(name.rpartition("_")[2]))
    fault = ti.xcom_pull(task_ids=task_id, key=FAULT, map_indexes=index) or {}
    try_number = fault.get("try_number", ti.try_number if (ti.task_id, ti.map_index) == (task_id, index) else None)
    return FailedTask(
        name=f"{task_id} ({fault['command'][-1]})" if index >= 0 and "command" in fault else task_id,
        error=fault.get("error", "it recorded no reason: see the log"),
        log_url=log_url(dag.dag_id, context["run_id"], task_id, index, try_number),
        try_number=try_number,
        tries=(dag.get_task(task_id).retries or 0) + 1,
    )
