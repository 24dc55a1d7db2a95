"""`container()`: a command line becomes an operator."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow._shared.module_loading import find_path_from_directory
from recsys.launch.container import GPU_POOL, container
from recsys.launch.docker import cpu_limit
from recsys.launch.outcome import REPORT, FailedForGood
from recsys.launch.process import ProcessTask

from tests import control_plane


def test_the_command_names_the_task_and_is_all_that_is_rendered() -> None:
    """Words stay words; nothing but the command line is shown in the UI."""
    task = container("check-dataset", "--run", "{{ run_id }}")
    assert isinstance(task, ProcessTask)
    assert (task.task_id, task.command) == ("check-dataset", ["check-dataset", "--run", "{{ run_id }}"])
    assert task.do_xcom_push is False


def test_the_ui_says_where_to_look() -> None:
    """The command to type, and the places of its figures."""
    said = container("check-dataset", "--run", "r").doc_md or ""
    assert "`python -m tasks check-dataset`" in said
    assert f"`{REPORT}`" in said


def test_its_templates_are_rendered() -> None:
    """`{{ run_id }}` is the run's name when the command starts."""
    task = container("publish", "--run", "{{ run_id }}")
    assert isinstance(task, ProcessTask)
    task.render_template_fields({"run_id": "nightly-1"})
    assert task.command == ["publish", "--run", "nightly-1"]


def test_gpu_work_waits_in_the_pool_and_may_take_longer() -> None:
    """Everything else runs where there is room."""
    train, publish = container("train", gpu=True), container("publish")
    assert (train.pool, publish.pool) == (GPU_POOL, "default_pool")
    assert train.execution_timeout is not None


def test_what_the_dag_says_goes_before_the_defaults() -> None:
    """A second task of the same command gets a name of its own, another trigger rule, another pool."""
    task = container("evaluate", gpu=True, task_id="evaluate-again", trigger_rule="all_done", pool="default_pool")
    assert (task.task_id, task.trigger_rule, task.pool) == ("evaluate-again", "all_done", "default_pool")


def test_an_unknown_launcher_names_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """An import error of the DAG, which the UI shows."""
    monkeypatch.setenv("RECSYS_LAUNCHER", "podman")
    with pytest.raises(
        ValueError, match=r"RECSYS_LAUNCHER is 'podman', expected one of \['docker', 'kubernetes', 'process'\]"
    ):
        container("publish")


def test_a_limit_of_cpus_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anything else is named, with what is expected."""
    monkeypatch.setenv("RECSYS_TASK_CPUS", "two")
    with pytest.raises(FailedForGood, match=r"RECSYS_TASK_CPUS is 'two', expected a number of CPUs such as 1.5"):
        cpu_limit()


def test_no_component_loads_more_than_the_one_plugin() -> None:
    """Under a second name, each with its own copy of everything, when it starts; in whatever room a file is."""
    loaded = find_path_from_directory(str(control_plane.ROOT / "plugins"), ".airflowignore", "glob")
    assert [Path(path).name for path in loaded if path.endswith(".py")] == ["recsys_plugin.py"]
