"""
# Nightly retraining

Embeds the media that are new, checks everything, trains and evaluates the recommenders and publishes a release. Runs every
night at 02:00 UTC, when `ingest_media` reports new media, and when somebody presses *Trigger* (the form explains each field).
A run that finds nothing new ends at `scan`: all its tasks are *skipped*, the run is a success, what is served stays.

Each box is `python -m tasks <box> --run <run id> ...`, which can be typed by hand to look closer. Running a box again is safe:
its artefact under `runs/<run id>/<box>/` in the store is replaced as a whole.

## When this fails

One e-mail says what failed, what was expected, and which release is still being served: a failed run never changes it.

* **check-embeddings, check-dataset** (exit code 10): the data broke its contract. Never retried, nothing was trained. The
  mail lists each failed expectation with item ids; `runs/<run id>/<box>/report.json` has them all. Mend the media or the
  interactions, then trigger a new run.
* **exit code 2**, any box: the input or an option is wrong; the last line of the log says what was found and expected. Not retried.
* **anything else**: a fault, tried four times. Exit code 137 is a lack of memory or a kill from outside. When the cause is
  gone, *Clear* the failed task: the run goes on from there.
* **nothing starts**: the pool `gpu` must exist (`airflow pools set gpu 1 GPUs`), and one run waits for the one before it.

Defaults of the form come from the environment of the DAG processor: RECSYS_DATASET, RECSYS_MODALITIES, RECSYS_MODELS (commas
between), RECSYS_ENCODER, RECSYS_CONFIG. RECSYS_ALERT_TO names who gets the mail.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, Param, chain, dag, task, task_group
from recsys.alerts import mail_failed_run
from recsys.container import DEFAULTS, container
from recsys.media import NAME, NEW_MEDIA, dataset_of, dataset_param, setting

RUN = "{{ run_id }}"
MODALITIES = ["image", "audio", "text"]
MODELS = ["popularity", "ease", "bpr", "vbpr", "lightgcn"]


def several(variable: str, known: list[str], title: str, description: str) -> Param:
    """A field that takes one or more of `known`; its default is the environment's list, else all of them."""
    default = setting(variable, ",".join(known)).split(",")
    items = {"type": "string", "enum": known}
    kind = {"type": "array", "items": items, "minItems": 1, "uniqueItems": True, "examples": known}
    return Param(default, title=title, description=description, **kind)


@dag(
    # timedelta(0): switched on for the first time it waits for the night. (False still runs a night that is 2.4 h past.)
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("0 2 * * *", timezone="UTC", run_immediately=timedelta(0)), assets=[NEW_MEDIA]
    ),
    catchup=False,  # a missed night is made up for by the next one, which sees all its media
    max_active_runs=1,  # two runs would race for the GPU and for the champion
    dagrun_timeout=timedelta(hours=20),  # a run that hangs is ended, and mailed about, before the next night
    default_args=DEFAULTS,
    on_failure_callback=mail_failed_run,
    user_defined_macros={"dataset_of": dataset_of},
    params={
        "dataset": dataset_param(),
        "modalities": several("RECSYS_MODALITIES", MODALITIES, "Modalities", "Which kinds of media are used; any subset."),
        "models": several("RECSYS_MODELS", MODELS, "Models", "Which recommenders compete; the best on validation is published."),
        "encoder": Param(
            setting("RECSYS_ENCODER", "audioclip-demo"),
            type="string",
            pattern=NAME,
            title="Encoder",
            description="audioclip-demo, or a name given to `weights` or `train-encoder`. Another encoder embeds all media anew.",
        ),
        "k": Param(5, type="integer", minimum=1, maximum=100, title="k of the k-core", description="Least interactions kept per user and item."),
        "seed": Param(7, type="integer", minimum=0, maximum=2**31 - 1, title="Seed", description="The same seed gives the same figures."),
        "split": Param(
            "random",
            enum=["random", "time", "leave-one-out", "given"],
            title="Split",
            description="How each user's interactions become training, validation and test; `given` takes the log's own labels.",
        ),
        "force": Param(False, type="boolean", title="Force", description="Run even when nothing is new since the last release."),
        "config": Param(
            setting("RECSYS_CONFIG", "nightly"),
            type="string",
            pattern="^[a-z0-9][a-z0-9_-]*$",
            title="Preset",
            description="File in tasks/configs/ with all that this form leaves out: thresholds, hyper-parameters.",
        ),
    },
    doc_md=__doc__,
    tags=["recsys"],
)
def retrain_nightly() -> None:
    """Boxes and arrows."""

    @task
    def modalities(*, params: dict[str, Any]) -> list[str]:
        return list(params["modalities"])

    @task
    def models(*, params: dict[str, Any]) -> list[str]:
        return list(params["models"])

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
        container("publish", "--run", RUN, trigger_rule="all_success"),  # vital: only if every model was judged
    )


retrain_nightly()
