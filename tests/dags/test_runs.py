"""Whole runs through Airflow's own task runner, with a program standing for the commands."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.models.asset import AssetEvent, AssetModel
from airflow.models.xcom import XComModel
from airflow.sdk.exceptions import AirflowFailException
from airflow.serialization.encoders import coerce_to_core_timetable
from airflow.utils.session import create_session
from recsys.launch import outcome
from recsys.launch.outcome import FailedForGood
from recsys.launch.parameters import refuse_unknown
from recsys.media import dataset_of
from sqlalchemy import select
from structlog.testing import capture_logs

from tests.dags.boxes import BOXES

if TYPE_CHECKING:
    from airflow.sdk import DAG

AFTER_SCAN = set(BOXES[1:])
RunDag = Callable[..., Any]


def test_the_form_becomes_command_lines(run_dag: RunDag, retrain: DAG) -> None:
    """Every field reaches `scan`; every later command gets the run, and one feature or model of several."""
    ran = run_dag(
        retrain,
        dataset="ml1m",
        modalities=["text", "image"],
        models=["ease", "bpr"],
        encoder="narrow",
        k=3,
        seed=11,
        split="time",
        approval="required",
        force=True,
        force_publish=True,
        config="demo",
    )
    assert ran.state == "success"
    run = ran.run.run_id
    scan = f"scan --run {run} --dataset ml1m --config demo --modalities text,image --encoder narrow --models ease,bpr"
    assert [" ".join(command) for command in ran.commands if command[0] == "scan"] == [
        f"{scan} --k 3 --split time --seed 11 --approval required --force"
    ]
    assert sorted(" ".join(command) for command in ran.commands if command[0] != "scan") == [
        f"align --run {run}",
        f"check-dataset --run {run}",
        f"check-embeddings --run {run}",
        f"evaluate --run {run} --model bpr",
        f"evaluate --run {run} --model ease",
        f"extract --run {run} --feature image",
        f"extract --run {run} --feature text",
        f"prepare --run {run}",
        f"publish --run {run} --force-publish",
        f"refit --run {run}",
        f"train --run {run} --model bpr",
        f"train --run {run} --model ease",
    ]


def test_features_of_the_form_take_the_place_of_modalities_and_encoder(run_dag: RunDag, retrain: DAG) -> None:
    """They reach `scan` as JSON, and each is extracted by its name."""
    features = {"poster": {"modality": "image", "encoder": "a"}, "sound_b": {"modality": "audio", "encoder": "b"}}
    ran = run_dag(retrain, models=["ease"], features=features)
    assert ran.state == "success"
    (scan,) = [command for command in ran.commands if command[0] == "scan"]
    given = dict(zip(scan[1::2], scan[2::2], strict=False))
    assert json.loads(given["--features"]) == features
    assert "--modalities" not in given
    assert given["--encoder"] == ""
    extracts = sorted(command[-2:] for command in ran.commands if command[0] == "extract")
    assert extracts == [["--feature", "poster"], ["--feature", "sound_b"]]
    shown = {ti.rendered_map_index for (task, index), ti in ran.tasks.items() if task == "extract" and index >= 0}
    assert shown == {"poster", "sound_b"}


def test_shards_become_command_lines(run_dag: RunDag, sharded: DAG) -> None:
    """Each feature by each shard, before any is extracted, and shown by both."""
    ran = run_dag(sharded, modalities=["text", "image"], models=["ease"])
    assert ran.state == "success"
    names = [command[0] for command in ran.commands]
    assert names.index("extract") > max(place for place, name in enumerate(names) if name == "encode")
    each = {(feature, shard) for feature in ("text", "image") for shard in ("1/2", "2/2")}
    words = {tuple(command[1:]) for command in ran.commands if command[0] == "encode"}
    assert words == {("--run", ran.run.run_id, "--feature", feature, "--shard", shard) for feature, shard in each}
    shown = {ti.rendered_map_index for (task, index), ti in ran.tasks.items() if task == "encode" and index >= 0}
    assert shown == {" ".join(pair) for pair in each}


def test_mapped_tasks_are_shown_by_modality_and_model(run_dag: RunDag, retrain: DAG) -> None:
    """In the UI one sees `bpr`, not `1`."""
    ran = run_dag(retrain, modalities=["text", "image"], models=["ease", "bpr"])
    shown = {(task, ti.rendered_map_index) for (task, index), ti in ran.tasks.items() if index >= 0}
    each = {(task, model) for task in ("train", "evaluate") for model in ("ease", "bpr")}
    assert shown == each | {("extract", "text"), ("extract", "image")}


def test_the_figures_of_each_command_are_shown_with_its_task(run_dag: RunDag, retrain: DAG) -> None:
    """Its closing line is the XCom `report`, of each mapped task its own."""
    ran = run_dag(retrain, modalities=["text"], models=["ease", "bpr"])
    with create_session() as session:
        wanted = select(XComModel).where(XComModel.run_id == ran.run.run_id, XComModel.key == outcome.REPORT)
        shown = {(row.task_id, XComModel.deserialize_value(row)["ended"]) for row in session.scalars(wanted)}
    each = {(task, f"{task}/{model}") for task in ("train", "evaluate") for model in ("ease", "bpr")}
    once = {(task, task) for task in AFTER_SCAN - {"extract", "train", "evaluate", "approve", "promote", "announce"}}
    assert shown == each | once | {("scan", "scan"), ("extract", "extract/text")}


@pytest.mark.fault("F15")
def test_nothing_new_skips_everything_and_is_a_success(run_dag: RunDag, retrain: DAG) -> None:
    """Exit code 99 of `scan`."""
    ran = run_dag(retrain, {"scan": (99, "no new media since release 7")})
    assert ran.state == "success"
    states = ran.states()
    assert states["scan"] == {"skipped"}
    assert {task: states[task] for task in AFTER_SCAN} == {task: {"skipped"} for task in AFTER_SCAN}
    assert [command[0] for command in ran.commands] == ["scan"]
    assert ran.note == "skipped: no new media since release 7"


@pytest.mark.fault("F6")
@pytest.mark.parametrize("check", ["check-embeddings", "check-dataset"])
def test_a_failed_check_ends_the_run_before_training_and_is_not_retried(
    run_dag: RunDag, retrain: DAG, check: str
) -> None:
    """Exit code 10: one try, and nothing after it."""
    ran = run_dag(retrain, {check: (10, "2 of 9 expectations failed")})
    assert ran.state == "failed"
    assert [command[0] for command in ran.commands].count(check) == 1
    assert not {"train", "evaluate", "refit", "publish"} & {command[0] for command in ran.commands}
    assert (ran.tasks[check, -1].state, ran.tasks[check, -1].try_number) == ("failed", 1)
    assert ran.states()["publish"] == {"upstream_failed"}
    reason = f"{check} ended with exit code 10 (validation failed): 2 of 9 expectations failed"
    assert ran.note == f"failed at {check}: {reason}"


@pytest.mark.fault("F1")
def test_a_fault_is_retried_and_then_fails_the_run(run_dag: RunDag, impatient: dict[str, DAG]) -> None:
    """Exit code 1: the first try and every retry; what did not depend on it still ran, but nothing is published."""
    ran = run_dag(impatient["retrain_nightly"], {"train/bpr": (1, "out of luck")}, models=["ease", "bpr"])
    assert ran.state == "failed"
    tries = [command for command in ran.commands if command[0] == "train" and command[-1] == "bpr"]
    assert len(tries) == 4
    assert [command[-1] for command in ran.commands if command[0] == "evaluate"] == ["ease"]
    assert "publish" not in {command[0] for command in ran.commands}


def test_new_media_are_announced_with_the_name_of_their_dataset(run_dag: RunDag, dags: dict[str, DAG]) -> None:
    """Exit code 0 of `discover`: one event of the asset, which `retrain_nightly` reads the dataset from."""
    ran = run_dag(dags["ingest_media"], dataset="films")
    assert ran.state == "success"
    assert ran.commands == [["discover", "--dataset", "films"]]
    assert events_of(ran.run.run_id) == [{"dataset": "films"}]


@pytest.mark.parametrize("changed", [["interactions"], ["media"], ["media", "interactions"]])
def test_the_event_says_what_changed(run_dag: RunDag, dags: dict[str, DAG], retrain: DAG, changed: list[str]) -> None:
    """A new log, such as one with new rows, starts `retrain_nightly` as new media do, with the same asset."""
    closing = {"dataset": "films", "changed": changed, "image": 3}
    ran = run_dag(dags["ingest_media"], {"discover": (0, "", closing)}, dataset="films")
    assert ran.state == "success"
    assert events_of(ran.run.run_id) == [{"dataset": "films", "changed": changed}]
    timetable: Any = coerce_to_core_timetable(retrain.timetable)
    with create_session() as session:
        wanted = select(AssetModel.name).join(AssetEvent, AssetEvent.asset_id == AssetModel.id)
        emitted = set(session.scalars(wanted.where(AssetEvent.source_run_id == ran.run.run_id)))
    assert emitted == {asset.name for _, asset in timetable.asset_condition.iter_assets()}


def test_without_new_media_nothing_is_announced(run_dag: RunDag, dags: dict[str, DAG]) -> None:
    """Exit code 99 of `discover`."""
    ran = run_dag(dags["ingest_media"], {"discover": (99, "nothing new")})
    assert (ran.state, ran.states()) == ("success", {"discover": {"skipped"}, "announce": {"skipped"}})
    assert events_of(ran.run.run_id) == []


def test_a_run_that_media_started_takes_their_dataset() -> None:
    """The event's dataset goes before the form's; without an event the form's counts."""

    class Event:
        def __init__(self, **extra: str) -> None:
            self.extra = extra

    assert dataset_of({"dataset": "demo"}, {"new_media": [Event(dataset="films"), Event(dataset="films")]}) == "films"
    assert dataset_of({"dataset": "demo"}, {"new_media": [Event()]}) == "demo"
    assert dataset_of({"dataset": "demo"}, {}) == "demo"
    with pytest.raises(AirflowFailException, match=re.escape("new media of 2 datasets (films, songs) started one run")):
        dataset_of({"dataset": "demo"}, {"new_media": [Event(dataset="songs"), Event(dataset="films")]})


@pytest.mark.parametrize("dag", ["retrain_nightly", "ingest_media"])
def test_a_parameter_that_the_form_has_not_ends_the_run_at_its_first_command(
    run_dag: RunDag, dags: dict[str, DAG], caplog: pytest.LogCaptureFixture, dag: str
) -> None:
    """At the first try, before anything is run; the sentence names the unknown and the known ones."""
    ran = run_dag(dags[dag], dataset="films", modles=["ease"], force_it=True)
    assert (ran.state, ran.commands) == ("failed", [])
    failed = [(task, ti.try_number) for (task, _), ti in ran.tasks.items() if ti.state == "failed"]
    assert failed == [("scan" if dag == "retrain_nightly" else "discover", 1)]
    sentence = "unknown parameter force_it, modles found in the run's configuration, expected some of"
    assert f"{sentence} {', '.join(sorted(dags[dag].params))}: trigger a new run" in closing_lines(caplog)


def test_a_run_from_before_the_form_lost_a_field_can_be_continued(retrain: DAG) -> None:
    """Only the first command asks what the run was started with."""
    ti = SimpleNamespace(try_number=1, xcom_push=lambda key, value: None)
    context: Any = {"dag": retrain, "dag_run": SimpleNamespace(conf={"lost": 1}), "ti": ti}
    refuse_unknown(context | {"task": retrain.get_task("publish")})
    with pytest.raises(FailedForGood, match="unknown parameter lost"):
        refuse_unknown(context | {"task": retrain.get_task("scan")})


LONG = "2 of 9 expectations failed: " + "id_spaces_agree on item_id, " * 12 + "see the report"


@pytest.mark.parametrize(("code", "tries"), [(10, 1), (2, 1), (1, 4)])
def test_the_log_of_a_failed_task_ends_with_the_sentence_and_has_no_stack(
    run_dag: RunDag, impatient: dict[str, DAG], caplog: pytest.LogCaptureFixture, code: int, tries: int
) -> None:
    """Of every try, on lines that need no scrolling sideways, and outside of what the UI folds."""
    with capture_logs() as logged:
        ran = run_dag(impatient["retrain_nightly"], {"align": (code, LONG)}, modalities=["text"], models=["ease"])
    assert ran.tasks["align", -1].try_number == tries
    assert [entry for entry in logged if entry.get("exc_info")] == []
    assert [record for record in caplog.records if record.exc_info] == []
    ended = closing_lines(caplog)
    for number in range(1, tries):
        assert (
            f"align failed and is tried again later, try {number} of 4: align ended with exit code 1: {LONG}" in ended
        )
    assert f"align failed for good, try {tries} of 4: align ended with exit code {code}" in ended
    assert ended.count(LONG) == tries
    lines = [record.getMessage() for record in caplog.records if record.name == outcome.__name__]
    assert max(map(len, lines)) <= outcome.WIDTH
    assert lines.index("::endgroup::") < lines.index(next(line for line in lines if line.startswith("align failed")))


def closing_lines(caplog: pytest.LogCaptureFixture) -> str:
    """What tasks' callbacks wrote, as one line."""
    return " ".join(record.getMessage() for record in caplog.records if record.name == outcome.__name__)


def events_of(run: str) -> list[dict[str, Any]]:
    """The extras of the asset events that a run emitted."""
    with create_session() as session:
        return list(session.scalars(select(AssetEvent.extra).where(AssetEvent.source_run_id == run)))
