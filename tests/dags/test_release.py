"""The asset event of a new release, and a DAG of somebody else that hangs on it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.models import dagrun
from airflow.models.asset import AssetEvent, AssetModel
from airflow.serialization.encoders import coerce_to_core_timetable
from airflow.utils.session import create_session
from recsys.launch.outcome import Failed
from recsys.release import describe_release
from sqlalchemy import select

from tests import control_plane

if TYPE_CHECKING:
    from airflow.sdk import DAG

RunDag = Callable[..., Any]
PAGE = control_plane.ROOT / "docs/operate.md"
PROMOTED = {
    "run": "r",
    "dataset": "films",
    "published": True,
    "outcome": "promoted",
    "release": "1b2c",
    "model": "hybrid",
    "reason": "nothing is served yet",
    "uri": "s3://recsys/releases/films/1b2c",
    "valid_ndcg@20": 0.2497,
}
REJECTED = PROMOTED | {"published": False, "outcome": "rejected", "release": None, "uri": None, "reason": "worse"}
RECORD = """
import json, sys
from tasks.store import open_history
dataset, run, model, release, gate = json.loads(sys.argv[1])
with open_history() as history:
    history.start_run(run, dataset, {}, None)
    if release:
        history.promote(dataset, run, model, release, gate, "0" * 64, seen=history.champion(dataset))
    else:
        history.reject(dataset, run, model, gate, "0" * 64)
"""


def test_a_promotion_is_one_event_which_the_example_of_the_docs_gets(
    run_dag: RunDag, retrain: DAG, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It says what a listener needs: where the release is, whose it is, and how good."""
    ran = run_dag(retrain, {"publish": (0, "", PROMOTED)}, models=["ease"], modalities=["text"])
    assert (ran.state, ran.states()["announce"]) == ("success", {"success"})
    facts = {name: PROMOTED[name] for name in ("dataset", "release", "uri", "model", "reason")}
    facts |= {"run": ran.run.run_id, "metrics": {"valid_ndcg@20": 0.2497}}
    assert events_of(ran.run.run_id) == [("release", facts)]

    dag = example_of_the_docs(tmp_path)
    create = dagrun.get_or_create_dagrun

    def start_by_event(*, session: Any, **options: Any) -> Any:  # as the scheduler does
        run = create(session=session, **options)
        wanted = select(AssetEvent).where(AssetEvent.source_run_id == ran.run.run_id)
        run.consumed_asset_events.extend(session.scalars(wanted).all())
        session.commit()
        return run

    monkeypatch.setattr(dagrun, "get_or_create_dagrun", start_by_event)
    assert str(dag.test().state) == "success"
    assert "films is served from s3://recsys/releases/films/1b2c" in capfd.readouterr().out


@pytest.mark.parametrize("outcome", [{"publish": (0, "", REJECTED)}, {"scan": (99, "nothing new")}], ids=str)
def test_without_a_promotion_there_is_no_event(run_dag: RunDag, retrain: DAG, outcome: dict[str, Any]) -> None:
    """A rejection is a decision and a success, but no release."""
    ran = run_dag(retrain, outcome, models=["ease"], modalities=["text"])
    assert (ran.state, ran.states()["announce"]) == ("success", {"skipped"})
    assert events_of(ran.run.run_id) == []


@pytest.fixture
def record(servers: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Record a decision as `publish` does: `record("films", run, "ease", "1b2c", gate)`; no release is a rejection."""
    monkeypatch.setenv("RECSYS_METRICS_DSN", servers["dsn"])

    def write(*row: object) -> None:
        command = [str(control_plane.TASKS_PYTHON), "-c", RECORD, json.dumps(row)]
        subprocess.run(command, cwd=control_plane.ROOT, env=dict(os.environ), check=True)

    return write


def test_without_a_closing_line_the_record_in_the_database_is_read(record: Callable[..., None]) -> None:
    """Of a pod there is none."""
    gate = {"reason": "better", "metric": "ndcg@20", "candidate": {"figures": {"ease": 0.31}}}
    record("pods", "run-p", "ease", "77aa", gate)
    ti = SimpleNamespace(xcom_pull=lambda **_: None)
    context: Any = {"run_id": "run-p", "ti": ti}
    facts = {"dataset": "pods", "release": "77aa", "model": "ease", "run": "run-p", "reason": "better"}
    assert describe_release(context) == facts | {"metrics": {"valid_ndcg@20": 0.31}}
    with pytest.raises(Failed, match=r"run other has no decision in rec\.decision, expected `publish`"):
        describe_release(context | {"run_id": "other"})


def example_of_the_docs(folder: Path) -> DAG:
    """The DAG of the page, parsed; it waits for the asset alone."""
    (block,) = [block for block in PAGE.read_text().split("```python\n")[1:] if "RELEASE" in block]
    (folder / "after_release.py").write_text(block.split("```")[0])
    bag = DagBag(str(folder / "after_release.py"))
    assert bag.import_errors == {}
    sync_bag_to_db(bag, "dags-folder", None)
    dag = bag.dags["after_release"]
    timetable: Any = coerce_to_core_timetable(dag.timetable)
    assert [asset.name for _, asset in timetable.asset_condition.iter_assets()] == ["release"]
    return dag


def events_of(run: str) -> list[tuple[str, dict[str, Any]]]:
    """Name and extra of the asset events that a run emitted."""
    wanted = select(AssetModel.name, AssetEvent.extra).join(AssetEvent, AssetEvent.asset_id == AssetModel.id)
    with create_session() as session:
        return [(name, extra) for name, extra in session.execute(wanted.where(AssetEvent.source_run_id == run))]
