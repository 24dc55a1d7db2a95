"""What the closing lines of a run's tasks say, as its later tasks and callbacks find it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from recsys.decision import DECIDERS, Decision, list_figures, read_decision
from recsys.launch.outcome import REPORT
from recsys.note import COUNTS, Ended, count

if TYPE_CHECKING:
    from airflow.sdk import Context


def pull_decision(context: Context, record: Mapping[str, Any] | None = None) -> Decision | None:
    """Return the decision of the run by closing lines and the row of `rec.decision`, or None if they have none."""
    reports = (context["ti"].xcom_pull(task_ids=task, key=REPORT) for task in DECIDERS)
    return read_decision(next(filter(None, reports), None), record)


def list_evidence(context: Context, decision: Decision | None) -> list[tuple[str, str]]:
    """Return name and value of the gate's figures and of the counts of the run, as far as they are known."""
    return (list_figures(decision) if decision else []) + list_counts(context)


def list_counts(context: Context) -> list[tuple[str, str]]:
    """Return the counts that the tasks of the run reported: arrivals, files refused, warnings."""
    pulled = {task: context["ti"].xcom_pull(task_ids=[task], key=REPORT) for tasks, *_ in COUNTS for task in tasks}
    reports = {task: [report for report in found if report] for task, found in pulled.items()}
    return [(many, f"{number:,}") for _, many, number in count(Ended(True, "", reports=reports))]
