"""What holds for every DAG, also for those that are yet to be written."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pendulum
import pytest
from airflow.serialization.encoders import coerce_to_core_timetable
from airflow.timetables import trigger
from airflow.timetables.base import TimeRestriction
from recsys.alerts import callbacks
from recsys.launch.outcome import log_failed_task, log_failed_try

from tests import control_plane

if TYPE_CHECKING:
    from airflow.sdk import DAG

FILES = sorted(path.stem for path in (control_plane.ROOT / "dags").glob("*.py"))


@pytest.fixture(params=FILES)
def dag(request: pytest.FixtureRequest, dags: dict[str, DAG]) -> DAG:
    """Each DAG in turn; its file is named as it is."""
    return dags[request.param]


def test_every_file_holds_the_one_dag_it_is_named_after(dags: dict[str, DAG]) -> None:
    """A DAG is found by its name."""
    assert sorted(dags) == FILES


def test_it_is_tagged_owned_and_explained(dag: DAG) -> None:
    """Tag, owner, a runbook that says what to do, and never more than one run at a time, none made up for the past."""
    assert "recsys" in dag.tags
    assert dag.owner == "recsys"
    assert "## When this fails" in (dag.doc_md or "")
    assert dag.catchup is False
    assert dag.max_active_runs == 1
    assert dag.dagrun_timeout is not None


def test_it_has_no_start_date(dag: DAG) -> None:
    """One to come would keep it silent; one gone by makes Airflow run a missed night when it is switched on."""
    assert dag.start_date is None


def test_its_tasks_retry_faults_patiently_and_end_some_day(dag: DAG) -> None:
    """Two retries or more, further and further apart, with limits on delay and duration."""
    task: Any  # the SDK's types allow None for each of these
    for task in dag.tasks:
        assert task.retries >= 2
        assert task.retry_exponential_backoff > 1
        assert timedelta(seconds=30) <= task.retry_delay < task.max_retry_delay <= timedelta(hours=1)
        assert task.execution_timeout is not None
        assert task.execution_timeout < dag.dagrun_timeout


def test_failures_are_told_once_by_mail_and_once_in_the_log(dag: DAG) -> None:
    """The DAG mails, the tasks log; no task mails as well."""
    assert dag.on_failure_callback is callbacks.tell_failed_run
    task: Any
    for task in dag.tasks:
        assert list(task.on_failure_callback) == [log_failed_task]
        assert list(task.on_retry_callback) == [log_failed_try]
        assert not task.email


def test_every_param_has_a_title_a_description_and_a_default_that_it_accepts(dag: DAG) -> None:
    """The trigger form explains itself."""
    for name, param in dag.params.items():  # type: ignore[no-untyped-call]  # Airflow's
        assert param.schema.get("title"), name
        assert (param.description or "").endswith("."), name
        param.resolve()


def test_switching_it_on_starts_nothing_at_once(dag: DAG, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even one second after the time of a scheduled run, the first scheduled run is the next one."""
    timetable = coerce_to_core_timetable(dag.timetable)
    switched_on = pendulum.datetime(2026, 3, 1, 2, 0, 1, tz="UTC")
    monkeypatch.setattr(trigger, "utcnow", lambda: switched_on)
    restriction = TimeRestriction(earliest=None, latest=None, catchup=dag.catchup)
    first = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
    assert (first is None) == (dag.dag_id in {"roll_back", "papers"})  # which only people start
    assert first is None or first.run_after > switched_on
