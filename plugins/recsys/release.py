"""The asset for a new release: `retrain_nightly` emits its event, and DAGs of others can be scheduled on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowSkipException

from recsys.alerts.evidence import read_record
from recsys.closing import pull_decision
from recsys.decision import Decision
from recsys.launch.outcome import Failed

if TYPE_CHECKING:
    from airflow.sdk import Context

RELEASE = Asset("release", group="recsys")
EXTRA = ("dataset", "release", "uri", "model", "run", "metrics", "figures", "reason")


def describe_release(context: Context) -> dict[str, Any]:
    """Return the `extra` of the asset event for the release of this run, as far as its facts are known.

    Raises AirflowSkipException if the model of the run was not promoted, and Failed if no decision of it is known.
    """
    run = context["run_id"]
    decision = pull_decision(context)
    if decision is None or decision.waiting:
        decision = pull_decision(context, read_record(run))
    if decision is None:
        raise Failed(f"run {run} has no decision in rec.decision, expected `publish` to have recorded one")
    if not decision.promoted:
        raise AirflowSkipException(f"no new release: {decision.model} was {decision.outcome}: {decision.reason}")
    return extra_of(decision, run)


def extra_of(decision: Decision, run: str) -> dict[str, Any]:
    """Return the facts of a promoted release that are known."""
    facts = {name: getattr(decision, name) for name in EXTRA} | {"run": run}
    return {name: value for name, value in facts.items() if value}
