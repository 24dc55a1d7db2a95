"""`papers`: the steps of a run without its models, and the tables of a paper at the end."""

from __future__ import annotations

import runpy
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import ParamValidationError

from tests import control_plane

if TYPE_CHECKING:
    from airflow.sdk import DAG

STEPS = ["scan", "extract", "align", "check-embeddings", "prepare", "check-dataset", "papers"]


@pytest.fixture
def papers() -> Any:
    """The DAG of a fresh run of its file."""
    return runpy.run_path(str(control_plane.ROOT / "dags" / "papers.py"))


def dag_of(module: dict[str, Any]) -> DAG:
    """The DAG that the file defines."""
    dag: DAG = module["papers"]()
    return dag


def test_every_step_waits_for_the_one_before(papers: dict[str, Any]) -> None:
    """Checks stand before what they guard, as in the nightly run."""
    dag = dag_of(papers)
    for earlier, later in pairwise(STEPS):
        assert earlier in dag.get_task(later).upstream_task_ids
        assert dag.get_task(later).trigger_rule == "all_success"


def test_the_paper_decides_the_run_and_its_features(papers: dict[str, Any]) -> None:
    """The form's field is one of the papers, and nothing else."""
    dag, form = dag_of(papers), papers["form"]
    assert dag.get_task("scan").command == [
        "scan",
        "--run",
        "{{ run_id }}",
        "--config",
        "papers/{{ params.paper }}",
        "--force",
    ]
    assert dag.get_task("papers").pool == "gpu"
    assert all(features for features in form.PAPERS.values())
    with pytest.raises(ParamValidationError):
        dag.params["paper"] = "../secret"
