"""
# Watching for new media

Every ten minutes compares what lies under `media/<dataset>/` in the store with what was there before. When objects were
added, replaced or removed, `announce` emits the asset event `new_media`, and `retrain_nightly` starts at once instead
of at night. When nothing changed, both tasks are *skipped* and no event is emitted.

Leave this DAG paused to retrain at night only. Switched on for the first time it reports everything that is there.
Nothing is lost while it is paused or failing: the nightly run looks for itself. Failing runs in a row are told by one
mail, that of the first.

## When this fails

* **discover**: the store or the metrics database could not be reached (tried four times), or the dataset has no media
  folder (exit code 2; the last line of the log says which). The nightly run is not affected.
* **announce**: Airflow could not record the event. *Clear* the task: it carries nothing but the dataset's name.

RECSYS_DATASET, in the environment of Airflow, names the dataset that is watched (default `demo`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task
from recsys import form
from recsys.alerts.callbacks import mail_first_failed_run
from recsys.launch.container import DEFAULTS, container
from recsys.media import NEW_MEDIA


@dag(
    schedule=CronTriggerTimetable("*/10 * * * *", timezone="UTC", run_immediately=timedelta(0)),
    catchup=False,  # one look sees all that came before
    max_active_runs=1,  # two looks at once would both report the same media
    dagrun_timeout=timedelta(hours=1),
    default_args=DEFAULTS | {"execution_timeout": timedelta(minutes=20)},  # listing a million objects takes minutes
    on_failure_callback=mail_first_failed_run,
    params=form.INGEST,
    doc_md=__doc__,
    tags=["recsys"],
)
def ingest_media() -> None:
    """Look, then tell."""

    # Apart from `discover`, which remembers what it reported: were they one task, its retry would find nothing new.
    @task(outlets=[NEW_MEDIA])
    def announce(**context: Mapping[Any, Any]) -> None:
        context["outlet_events"][NEW_MEDIA].extra = {"dataset": context["params"]["dataset"]}

    container("discover", "--dataset", "{{ params.dataset }}") >> announce()


ingest_media()
