"""
# Watching for new media and interactions

Compares the media under `media/<dataset>/` in the store and the version of the interaction log with the previous state
every ten minutes. When objects were added, replaced or removed, or the log has another version (`load-interactions`,
with or without `--append`), `announce` emits the asset event `new_media`, and `retrain_nightly` starts at once instead
of waiting for its schedule. The event's `extra` has the dataset and, in `changed`, `media`, `interactions` or both (not
with the launcher `kubernetes`). When nothing changed, both tasks are *skipped* and no event is emitted.

Leave this DAG paused to retrain only at night. When it is first switched on, it reports all that is in the store.
Nothing is lost while it is paused or failing: the nightly run takes its own inventory. Of failed
runs in a row, with the same failure, one message a day is sent.

## When this fails

* **discover**: the store or the metrics database could not be reached (tried four times), or the dataset has neither
  media nor a log (exit code 2; the last line of the log says which). The nightly run is not affected.
* **announce**: Airflow could not record the event. *Clear* the task: it carries only what `discover` reported.

RECSYS_DATASET, in the environment of Airflow, names the dataset that is watched (default `demo`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task
from recsys import form
from recsys.alerts.callbacks import tell_failed_run, tell_recovery
from recsys.launch.container import DEFAULTS, container
from recsys.launch.outcome import REPORT
from recsys.media import NEW_MEDIA


@dag(
    schedule=CronTriggerTimetable("*/10 * * * *", timezone="UTC", run_immediately=timedelta(0)),
    catchup=False,  # one run sees all earlier changes
    max_active_runs=1,  # a second run at once could only find nothing
    dagrun_timeout=timedelta(hours=1),
    default_args=DEFAULTS | {"execution_timeout": timedelta(minutes=20)},  # listing a million objects takes minutes
    on_failure_callback=tell_failed_run,
    on_success_callback=tell_recovery,
    params=form.INGEST,
    doc_md=__doc__,
    tags=["recsys"],
)
def ingest_media() -> None:
    """Detect changed media and interactions, then emit the asset event."""

    # Separate from `discover`, which records what it reported: in one task, a retry would find nothing new.
    @task(outlets=[NEW_MEDIA])
    def announce(**context: Any) -> None:  # noqa: ANN401  Airflow's own types
        report = context["ti"].xcom_pull(task_ids="discover", key=REPORT) or {}
        known = {name: report[name] for name in ("changed",) if name in report}
        context["outlet_events"][NEW_MEDIA].extra = {"dataset": context["params"]["dataset"]} | known

    container("discover", "--dataset", "{{ params.dataset }}") >> announce()


ingest_media()
