"""Lets the tasks of a day run in one of many runs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowSkipException

if TYPE_CHECKING:
    from airflow.sdk import Context

HOUR = 4  # UTC, when the nightly run has mostly ended


def require_due(context: Context) -> None:
    """Raise AirflowSkipException unless this run is the first after 04:00 UTC of its day, or somebody started it.

    What the run before was is asked of Airflow, so nothing has to be remembered: after a pause or an outage the next
    run is the first.
    """
    run = context["dag_run"]
    if run.run_type == "manual":
        return
    before = context["ti"].get_previous_dagrun()
    if not is_due(run.run_after, before.run_after if before else None):
        raise AirflowSkipException("the tasks of this day were done by an earlier run")


def is_due(now: datetime, before: datetime | None) -> bool:
    """Whether 04:00 UTC has passed since the run before; the first run ever is due."""
    last = now.replace(hour=HOUR, minute=0, second=0, microsecond=0)
    if last > now:
        last -= timedelta(days=1)
    return before is None or before < last
