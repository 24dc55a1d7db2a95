"""
# Nightly retraining

Embeds the media that are new, checks everything, trains and evaluates the recommenders and publishes a release. Runs
every night at 02:00 UTC, when `ingest_media` reports new media, and when somebody presses *Trigger* (the form explains
its fields). A run that finds nothing new ends at `scan`: its tasks are *skipped*, the run is a success, what is served
stays.

Each box is `python -m tasks <box> --run <run id> ...`, which can be typed by hand to look closer. Running a box again
is safe: its artefact under `runs/<run id>/<box>/` in the store is replaced as a whole.

## When this fails

One e-mail says what failed, what was expected, and which release is being served: a failed run never changes it.

* **check-embeddings, check-dataset** (exit code 10): the data broke its contract. Never retried, nothing was trained.
  The mail lists each failed expectation with item ids; `runs/<run id>/<box>/report.json` has them all. Mend the media
  or the interactions, then trigger a new run.
* **exit code 2**, any box: the input or an option is wrong; the last line of the log says what was found and expected.
  Not retried.
* **anything else**: a fault, tried four times. Exit code 137 is a lack of memory or a kill from outside. When the cause
  is gone, *Clear* the failed task: the run goes on from there.
* **nothing starts**: the pool `gpu` must exist (`airflow pools set gpu 1 GPUs`), and a run waits for the one before it.

Settings, in the environment of Airflow: RECSYS_DATASET, RECSYS_MODALITIES, RECSYS_MODELS (commas between),
RECSYS_ENCODER, RECSYS_K, RECSYS_SPLIT and RECSYS_CONFIG are the form's defaults, and so what a night uses;
RECSYS_ALERT_TO gets the mail.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, chain, dag, task, task_group
from recsys import form
from recsys.alerts.callbacks import mail_failed_run
from recsys.launch.container import DEFAULTS, container
from recsys.media import NEW_MEDIA, dataset_of

RUN = "{{ run_id }}"


@dag(
    # timedelta(0): switched on for the first time, it waits for the night. (False would run one up to 2.4 h past.)
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("0 2 * * *", timezone="UTC", run_immediately=timedelta(0)), assets=[NEW_MEDIA]
    ),
    catchup=False,  # a missed night is made up for by the next one, which sees all its media
    max_active_runs=1,  # two runs would race for the GPU and for the champion
    dagrun_timeout=timedelta(hours=20),  # a run that hangs is ended, and mailed about, before the next night
    default_args=DEFAULTS,
    on_failure_callback=mail_failed_run,
    user_defined_macros={"dataset_of": dataset_of},
    params=form.RETRAIN,
    doc_md=__doc__,
    tags=["recsys"],
)
def retrain_nightly() -> None:
    """Boxes and arrows."""

    @task
    def modalities(**context: dict[str, Any]) -> list[str]:
        return list(context["params"]["modalities"])

    @task
    def models(**context: dict[str, Any]) -> list[str]:
        return list(context["params"]["models"])

    @task_group(prefix_group_id=False)
    def each_modality(modality: str) -> None:
        container("extract", "--run", RUN, "--modality", modality, gpu=True)

    @task_group(prefix_group_id=False)
    def each_model(model: str) -> None:  # a slow model does not hold up the evaluation of the others
        train = container("train", "--run", RUN, "--model", model, gpu=True)
        train >> container("evaluate", "--run", RUN, "--model", model)

    scan = container(
        "scan",
        *("--run", RUN),
        *("--dataset", "{{ dataset_of(params, triggering_asset_events) }}"),
        *("--config", "{{ params.config }}"),
        *("--modalities", "{{ params.modalities | join(',') }}"),
        *("--encoder", "{{ params.encoder }}"),
        *("--models", "{{ params.models | join(',') }}"),
        *("--k", "{{ params.k }}"),
        *("--split", "{{ params.split }}"),
        *("--seed", "{{ params.seed }}"),
        "{{ '--force' if params.force else '--no-force' }}",
    )
    chain(
        scan,
        each_modality.expand(modality=modalities()),
        container("align", "--run", RUN),
        container("check-embeddings", "--run", RUN),  # vital: what fails here must never be trained on
        container("prepare", "--run", RUN),
        container("check-dataset", "--run", RUN),  # vital
        each_model.expand(model=models()),
        container("publish", "--run", RUN, trigger_rule="all_success"),  # vital: all models judged
    )


retrain_nightly()
