"""Callbacks of DAGs: one message for a failed run, and what Airflow knows of a run that ended well."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from recsys.alerts import evidence, outbox
from recsys.alerts.letter import FailedTask, Letter, describe_serving, name_failure, to_json
from recsys.alerts.lookup import LookUp
from recsys.alerts.outbox import Note
from recsys.alerts.post import announce, send_due
from recsys.closing import list_counts, pull_decision
from recsys.launch.outcome import FAULT
from recsys.links import log_url, page_url, run_url
from recsys.media import dataset_of

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)
NO_REASON = "it recorded no reason: see the log"
LONGEST_TOPIC = 500


def tell_failed_run(context: Context) -> None:
    """DAG-level callback of failure. Errors here do not change the outcome of the run."""
    try:
        note = compose(context)
    except Exception:
        log.exception(
            "ALERT NOT SENT: it could not be found out how run %s failed; the watchdog tells", context["run_id"]
        )
    else:
        announce(note)


def tell_good_run(context: Context) -> None:
    """DAG-level callback of success: complete the message about the decision, or say that all is well again.

    The message about a decision, if there is one, was written with it; errors here cost only the counts.
    """
    run, dag = context["run_id"], context["dag"].dag_id
    try:
        record = LookUp()("the record of the decision", None, evidence.read_record, run)
        decision = pull_decision(context, record)
        if decision is None or decision.waiting:
            dataset = dataset_of(context["params"], context["triggering_asset_events"])
            outbox.settle(f"{dag}/{dataset}", dataset, dag, run)
        else:
            outbox.complete(dag, run, {"counts": list_counts(context)})
    except Exception:
        log.exception("what run %s came to is told without its counts, by the next sender", run)
    else:
        send_due()


def tell_recovery(context: Context) -> None:
    """Like `tell_good_run`, for a DAG without a decision: say that all is well again, if it was not."""
    dag = context["dag"].dag_id
    try:
        dataset = dataset_of(context["params"], context["triggering_asset_events"])
        bad = outbox.settle(f"{dag}/{dataset}", dataset, dag, context["run_id"])
    except Exception:
        log.exception("run %s is not told as the first good one: the next one is", context["run_id"])
    else:
        if bad:
            send_due()


def compose(context: Context) -> Note:
    """Collect the facts of a failed run. Those that are unavailable are named in the message, which is sent anyway."""
    look_up = LookUp()
    dag, run = context["dag"].dag_id, context["run_id"]
    dataset = look_up(
        "the dataset", "unknown dataset", lambda: dataset_of(context["params"], context["triggering_asset_events"])
    )
    none: list[FailedTask] = []
    tasks = look_up("the failed tasks", none, failed_tasks, context)
    cleared = getattr(context.get("dag_run"), "clear_number", 0) or 0
    return write_failure(dag, run, dataset, str(context.get("reason", "failed")), tasks, look_up, cleared=cleared)


def write_failure(  # noqa: PLR0917  facts of a run
    dag: str, run: str, dataset: str, reason: str, tasks: list[FailedTask], look_up: LookUp, *, cleared: int
) -> Note:
    """Return the message about a failed run, with what the metrics database knows of it."""
    none: list[evidence.Failure] = []
    failures = look_up("the failed expectations", none, evidence.read_failures, run)
    champion = look_up("the release that is being served", None, evidence.read_champion, dataset)
    sentences = [describe_serving(dataset, champion, run, known=not look_up.gaps)]
    if not tasks:
        sentences.append(f"The run ended with: {reason}")
    letter = Letter(
        what=name_failure(tasks, failures, reason),
        dataset=dataset,
        dag=dag,
        run=run,
        run_url=run_url(dag, run),
        sentences=sentences,
        tasks=tasks,
        failures=failures,
        links=[("History of the run", page_url("run", dataset=dataset, run=run))],
        gaps=look_up.gaps,
    )
    wrong = [task.name for task in tasks] + [one.title for one in failures if one.severity == "critical"]
    return Note(
        key=key_of(dag, run, cleared),
        kind="failed",
        scope=f"{dag}/{dataset}",
        topic=", ".join(sorted(wrong) or [reason])[:LONGEST_TOPIC],
        dataset=dataset,
        dag=dag,
        run=run,
        facts={"letter": to_json(letter)},
    )


def key_of(dag: str, run: str, cleared: int) -> str:
    """Return the key under which the end of a run is told; a run that was cleared `cleared` times ends again."""
    return f"failed/{dag}/{run}/{cleared}"


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
        name=name_task(task_id, index, fault.get("command")),
        error=fault.get("error", NO_REASON),
        log_url=log_url(dag.dag_id, context["run_id"], task_id, index, try_number),
        try_number=try_number,
        tries=(dag.get_task(task_id).retries or 0) + 1,
    )


def name_task(task_id: str, index: int, command: list[str] | None) -> str:
    """Return a task's name; a mapped one is told by the last word of its command, a model or a feature."""
    return f"{task_id} ({command[-1]})" if index >= 0 and command else task_id
