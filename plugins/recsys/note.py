"""The note of a run: one line in Airflow's grid that says what the run came to. Independent of Airflow.

Airflow shows it as Markdown, in which what comes from ids, files and people is text. Its facts are the XComs of the
run's tasks: their closing lines, and why they failed or had nothing to do.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from recsys.decision import DECIDERS, Decision, read_decision
from recsys.markdown import escape

LONGEST = 600  # of 1000 characters that Airflow stores: a link follows
COUNTS = (
    (("prepare",), "arrivals", "arrival", "arrivals"),
    (("extract",), "rejected", "file refused", "files refused"),
    (("check-embeddings", "check-dataset"), "warnings", "warning", "warnings"),
)


@dataclass(frozen=True)
class Ended:
    """What Airflow knows of a run that has ended."""

    succeeded: bool
    reason: str  # Airflow's word for it
    failed: Sequence[str] = ()  # tasks that failed for good
    faults: Mapping[str, str] = field(default_factory=dict)  # task -> why
    skipped: str | None = None  # why `scan` had nothing to do
    reports: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)  # task -> its closing lines


def describe_run(run: Ended) -> str:
    """Return the note. Without reports (launcher `kubernetes`) a good run is said to have succeeded, and no more."""
    decision = read_decision(next((report for task in DECIDERS for report in run.reports.get(task, [])), None))
    parts = [] if decision is None else [describe_decision(decision)]
    if not run.succeeded:
        parts.append(_describe_failure(run))
    elif decision is None:
        parts.append(f"skipped: {escape(run.skipped)}" if run.skipped else "succeeded")
    parts += [f"{number:,} {one if number == 1 else many}" for one, many, number in count(run)]
    return textwrap.shorten(", ".join(parts), LONGEST, placeholder=" ... (more in the logs)")


def describe_decision(decision: Decision) -> str:
    """What became of the model, with its metric; a rejection has it in its reason."""
    if not decision.promoted and not decision.waiting:
        return f"rejected {decision.model}: {escape(decision.reason)}"
    measured = (f"{name.removeprefix('valid_')} {value:.4f}" for name, value in decision.metrics.items())
    metric, _, figures = (decision.figures or ", ".join(measured)).partition(" ")
    what = f"{decision.model} waited for an answer" if decision.waiting else f"promoted {decision.model}"
    who = f", approved by {escape(decision.by)}" if decision.by else ""
    return what + (f", {metric.upper()} {figures}" if figures else "") + who


def count(run: Ended) -> list[tuple[str, str, int]]:
    """Return the counts that were reported: the word for one, for many, and how many."""
    found = [
        (one, many, [report[key] for task in tasks for report in run.reports.get(task, []) if key in report])
        for tasks, key, one, many in COUNTS
    ]
    return [(one, many, sum(numbers)) for one, many, numbers in found if numbers]


def _describe_failure(run: Ended) -> str:
    if not run.failed:
        return f"failed: {run.reason}"
    first, *others = run.failed
    more = f" (and {len(others)} more)" if others else ""
    return f"failed at {first}{more}: {escape(run.faults.get(first, 'its log says why'))}"
