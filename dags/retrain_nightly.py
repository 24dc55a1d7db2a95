"""
# Nightly retraining

Encodes new media, validates the data, trains and evaluates the recommenders, trains the best one again on all
interactions and publishes it as a release. Runs every night at 02:00 UTC, when `ingest_media` reports new media or
interactions, and when somebody presses *Trigger* (the form explains its fields). A run that finds nothing new ends at
`scan`: its tasks are *skipped*, the run succeeds, and the served release stays.

Each task runs `python -m tasks <step> --run <run id> ...`, which you can also type by hand. Running a step again is
safe: its artefact under `runs/<run id>/<step>/` in the store is replaced as a whole. The log of a task says what was
checked and where the artefact is; its XCom `report` has its counts and metrics, that of `publish` what is served now.
After a promotion, `announce` emits the asset event `release`; after a rejection it is *skipped*.

With *Approval* `required`, a release that the gate accepts waits at `approve` until a human answers under *Required
Actions*, or until 19 hours after the start of the run, which is a rejection; an email asks. `promote` serves what was
approved and records who answered. Nobody is asked about what the gate rejects; the two tasks are then *skipped*.

The note of a run, in the grid, says in one line what it came to. A message tells, with the figures, that the
gate turned a model down, that there is a release again after bad runs, or that there is none for too long.

## When this fails

A message says what failed, what was expected, and which release is served. A failed run never changes that release.

* **check-embeddings, check-dataset** (exit code 10): the data failed validation. Not retried; nothing was trained. The
  email lists each failed expectation with item ids; `runs/<run id>/<step>/report.json` has all of them. Fix the media
  or the interactions, then trigger a new run.
* **refit** (exit code 10): the model that learned from all interactions is unlike the one that was evaluated; the
  email has the numbers. The release that is served stays.
* **announce**: the decision of `publish` could not be read, so nobody was told of a release that is served already.
  *Clear* the task.
* **promote** (exit code 2): another release was served while the question was open, so the figures of the question no
  longer hold. *Clear* `publish`: it compares anew and asks again.
* **exit code 2**, any task: the input or an option is wrong; the last lines of the log say what was found and what was
  expected. Not retried. So ends a run that was started with a parameter that the form does not have.
* **anything else**: a fault, tried four times. Exit code 137 means out of memory or killed from outside. When the
  cause is fixed, *Clear* the failed task: the run continues from there.
* **nothing starts**: the pool `gpu` must exist (`airflow pools set gpu 1 GPUs`), and a run waits for the one before it.

Settings, in the environment of Airflow: RECSYS_DATASET, RECSYS_MODALITIES, RECSYS_MODELS (commas between),
RECSYS_ENCODER, RECSYS_FEATURES (JSON, in place of modalities and encoder), RECSYS_K, RECSYS_SPLIT, RECSYS_APPROVAL and
RECSYS_CONFIG are the form's defaults, which scheduled runs use; with RECSYS_SHARDS above 1 so many tasks `encode` each
feature side by side, as far as the pool `gpu` has slots, before `extract`; RECSYS_ALERT_TO and RECSYS_ALERT_CHANNELS
say who is told, and RECSYS_OVERDUE_HOURS and RECSYS_CHAMPION_DAYS when it is too long.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, chain, dag, task, task_group
from recsys import form
from recsys.alerts.callbacks import tell_failed_run, tell_good_run
from recsys.approval import answer_of, approval
from recsys.launch.container import DEFAULTS, container
from recsys.media import NEW_MEDIA, dataset_of
from recsys.release import RELEASE, describe_release

RUN = "{{ run_id }}"
SHARDS = form.count_shards()


def features_of(context: dict[str, Any]) -> list[str]:
    """The names of the features of a run: those of the form, or its modalities."""
    return list(context["params"]["features"] or context["params"]["modalities"])


@dag(
    # timedelta(0): when first switched on, it waits for 02:00. (False would start a run up to 2.4 h late.)
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("0 2 * * *", timezone="UTC", run_immediately=timedelta(0)), assets=[NEW_MEDIA]
    ),
    catchup=False,  # after a missed run, the next one sees all its media
    max_active_runs=1,  # two runs would race for the GPU and for the champion
    dagrun_timeout=timedelta(hours=20),  # a run that hangs is ended, with an alert, before the next nightly run
    default_args=DEFAULTS,
    on_failure_callback=tell_failed_run,
    on_success_callback=tell_good_run,
    user_defined_macros={"answer_of": answer_of, "dataset_of": dataset_of},
    params=form.RETRAIN,
    doc_md=__doc__,
    tags=["recsys"],
)
def retrain_nightly() -> None:
    """Define the tasks and their order."""

    @task
    def features(**context: dict[str, Any]) -> list[str]:
        return features_of(context)

    @task
    def models(**context: dict[str, Any]) -> list[str]:
        return list(context["params"]["models"])

    # Separate from `publish`, whose success alone does not mean that there is a new release. It waits for both ways to
    # one: `promote` is skipped where nobody is asked.
    @task(outlets=[RELEASE], trigger_rule="none_failed_min_one_success")
    def announce(**context: Any) -> None:  # noqa: ANN401  Airflow's own types
        context["outlet_events"][RELEASE].extra = describe_release(context)  # type: ignore[arg-type]  it is a Context

    @task
    def shards(**context: dict[str, Any]) -> list[dict[str, str]]:
        parts = [f"{number}/{SHARDS}" for number in range(1, SHARDS + 1)]
        return [{"feature": name, "shard": part} for name in features_of(context) for part in parts]

    @task_group(prefix_group_id=False)
    def each_shard(feature: str, shard: str) -> None:
        shown = "{{ task.command[-3] }} {{ task.command[-1] }}"
        words = ("--run", RUN, "--feature", feature, "--shard", shard)
        container("encode", *words, gpu=True, map_index_template=shown)

    @task_group(prefix_group_id=False)
    def each_feature(feature: str) -> None:
        container("extract", "--run", RUN, "--feature", feature, gpu=True)

    @task_group(prefix_group_id=False)
    def each_model(model: str) -> None:  # a slow model does not delay the evaluation of the others
        train = container("train", "--run", RUN, "--model", model, gpu=True)
        train >> container("evaluate", "--run", RUN, "--model", model)

    scan = container(
        "scan",
        *("--run", RUN),
        *("--dataset", "{{ dataset_of(params, triggering_asset_events) }}"),
        *("--config", "{{ params.config }}"),
        "{{ '--features' if params.features else '--modalities' }}",
        "{{ params.features | tojson if params.features else params.modalities | join(',') }}",
        *("--encoder", "{{ '' if params.features else params.encoder }}"),
        *("--models", "{{ params.models | join(',') }}"),
        *("--k", "{{ params.k }}"),
        *("--split", "{{ params.split }}"),
        *("--seed", "{{ params.seed }}"),
        *("--approval", "{{ '' if params.approval == 'preset' else params.approval }}"),
        "{{ '--force' if params.force else '--no-force' }}",
    )
    publish = container(
        *("publish", "--run", RUN),
        "{{ '--force-publish' if params.force_publish else '--no-force-publish' }}",
    )
    promote = container(
        *("promote", "--run", RUN),
        # each is one word, whatever a name begins with
        *(f"--{part}={{{{ answer_of(ti).{part} }}}}" for part in ("answer", "by", "at")),
    )
    chain(
        scan,
        *([each_shard.expand_kwargs(shards())] if SHARDS > 1 else []),
        each_feature.expand(feature=features()),
        container("align", "--run", RUN),
        container("check-embeddings", "--run", RUN),  # vital: data that fails here must never be used for training
        container("prepare", "--run", RUN),
        container("check-dataset", "--run", RUN),  # vital
        each_model.expand(model=models()),
        # vital: all models are evaluated
        container("refit", "--run", RUN, gpu=True, trigger_rule="all_success"),
        publish,
        approval(),
        promote,
    )
    [publish, promote] >> announce()


retrain_nightly()
