"""
# The tables of a paper

Trains what a paper compares, with several seeds, on the dataset that it names, and writes a page with our figures
beside the printed ones, what each cost, and why they differ: `runs/<run id>/paper-<name>/page.md` in the store.
Nothing is published, and nothing that is served changes. The papers are the files of `papers/`; the media, matrices
and interactions that one needs must have been loaded, which the file says.

A training is stored when it has ended: *Clear* the task `papers` of a run that failed or was stopped, and only what is
missing is trained. Each training is in PostgreSQL too, so that the page *Comparisons* shows it meanwhile.

## When this fails

* **scan** (exit code 2): the dataset is not loaded, or lacks a feature; the last line of the log says which.
* **check-embeddings, check-dataset** (exit code 10): as in `retrain_nightly`.
* **papers**: a model diverged or refused; it is named at the end, after all others have been trained, which are in
  the page. Exit code 137 means out of memory.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import chain, dag, task, task_group
from recsys import form
from recsys.alerts.callbacks import tell_failed_run, tell_recovery
from recsys.launch.container import DEFAULTS, container

RUN = "{{ run_id }}"


@dag(
    schedule=None,
    catchup=False,
    max_active_runs=1,  # each takes all cores for hours
    dagrun_timeout=timedelta(days=7),
    default_args=DEFAULTS,
    on_failure_callback=tell_failed_run,
    on_success_callback=tell_recovery,
    params=form.PAPER,
    doc_md=__doc__,
    tags=["recsys"],
)
def papers() -> None:
    """Define the tasks and their order."""

    @task
    def features(**context: dict[str, Any]) -> list[str]:
        return list(form.PAPERS[str(context["params"]["paper"])])

    @task_group(prefix_group_id=False)
    def each_feature(feature: str) -> None:
        container("extract", "--run", RUN, "--feature", feature, gpu=True)

    chain(
        container("scan", "--run", RUN, "--config", "papers/{{ params.paper }}", "--force"),
        each_feature.expand(feature=features()),
        container("align", "--run", RUN),
        container("check-embeddings", "--run", RUN),
        container("prepare", "--run", RUN),
        container("check-dataset", "--run", RUN),
        container(
            *("papers", "--paper", "{{ params.paper }}", "--run", RUN, "--seeds", "{{ params.seeds }}"),
            gpu=True,
            execution_timeout=timedelta(days=6),
        ),
    )


papers()
