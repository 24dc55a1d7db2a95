"""`retrain_nightly`: its vital edges, its form, its schedule."""

from __future__ import annotations

import ast
import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.encoders import coerce_to_core_timetable

from tests import control_plane
from tests.dags.boxes import BOXES

if TYPE_CHECKING:
    from airflow.sdk import DAG


def upstream(dag: DAG, task: str) -> set[str]:
    """All tasks that come before `task`."""
    return {each.task_id for each in dag.get_task(task).get_flat_relatives(upstream=True)}


def test_the_boxes_follow_each_other(retrain: DAG) -> None:
    """Every box waits for all that stand before it."""
    for place, box in enumerate(BOXES):
        assert set(BOXES[:place]) == upstream(retrain, box) & set(BOXES), box


@pytest.mark.parametrize("box", [box for box in BOXES if box != "announce"])
def test_no_box_runs_unless_everything_before_it_succeeded(retrain: DAG, box: str) -> None:
    """The order alone is not enough: with another trigger rule a failed check would still be followed by training."""
    assert retrain.get_task(box).trigger_rule == "all_success"


def test_announce_waits_for_both_ways_to_a_release(retrain: DAG) -> None:
    """`promote` is skipped where nobody is asked; what failed is never announced, nor a run that was skipped."""
    assert retrain.get_task("announce").trigger_rule == "none_failed_min_one_success"
    assert retrain.get_task("announce").upstream_task_ids == {"publish", "promote"}


def test_checks_stand_directly_before_what_they_guard(retrain: DAG) -> None:
    """Nothing can slip in between a check and the step that trusts it."""
    assert retrain.get_task("prepare").upstream_task_ids == {"check-embeddings"}
    assert retrain.get_task("train").upstream_task_ids == {"check-dataset", "models"}


def test_each_model_is_evaluated_as_soon_as_it_is_trained(retrain: DAG) -> None:
    """Training and evaluation are mapped together, so that a slow model holds up no other."""
    group = retrain.get_task("train").get_closest_mapped_task_group()
    assert group is not None
    assert retrain.get_task("evaluate").get_closest_mapped_task_group() is group
    assert retrain.get_task("extract").get_closest_mapped_task_group() not in (None, group)


def test_shards_of_each_feature_are_encoded_before_it_is_extracted(sharded: DAG) -> None:
    """Where RECSYS_SHARDS asks for several; side by side as far as there are GPUs."""
    encode = sharded.get_task("encode")
    assert {"scan", "shards"} <= upstream(sharded, "encode")
    assert "encode" in upstream(sharded, "extract")
    assert encode.get_closest_mapped_task_group() is not None
    assert (encode.pool, encode.trigger_rule) == ("gpu", "all_success")


def test_one_shard_is_none(retrain: DAG) -> None:
    """`extract` encodes by itself."""
    assert not {"encode", "shards"} & set(retrain.task_ids)


@pytest.mark.parametrize("number", ["0", "65", "-1", "two", "1.5"])
def test_a_number_of_shards_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, number: str) -> None:
    """Where the DAG is parsed: Airflow shows it as an import error."""
    monkeypatch.setenv("RECSYS_SHARDS", number)
    count = runpy.run_path(str(control_plane.ROOT / "plugins/recsys/form.py"))["count_shards"]
    with pytest.raises(ValueError, match="expected a whole number from 1 to 64"):
        count()


def test_only_what_computes_on_a_gpu_waits_for_one(retrain: DAG) -> None:
    """Everything else would only hold a slot that somebody needs."""
    assert {task.task_id for task in retrain.tasks if task.pool == "gpu"} == {"extract", "train", "refit"}


def test_it_runs_at_two_and_when_new_media_are_reported(retrain: DAG, dags: dict[str, DAG]) -> None:
    """The asset it waits for is the one that `ingest_media` emits."""
    outlets = dags["ingest_media"].get_task("announce").outlets
    timetable: Any = coerce_to_core_timetable(retrain.timetable)
    assert [asset.name for _, asset in timetable.asset_condition.iter_assets()] == [asset.name for asset in outlets]
    assert timetable.timetable.serialize()["expression"] == "0 2 * * *"


@pytest.mark.parametrize(
    "conf",
    [
        {"models": []},
        {"models": ["bpr", "bpr"]},
        {"models": ["word2vec"]},
        {"modalities": ["smell"]},
        {"modalities": "image"},
        {"dataset": "--force"},
        {"dataset": "a/b"},
        {"encoder": "a b"},
        {"features": {}},
        {"features": ["image"]},
        {"features": {"poster clip": {"modality": "image", "encoder": "a"}}},
        {"features": {"poster": {"modality": "smell", "encoder": "a"}}},
        {"features": {"poster": {"modality": "image"}}},
        {"features": {"poster": {"modality": "image", "encoder": "a", "layer": 3}}},
        {"k": 0},
        {"k": "5"},
        {"seed": -1},
        {"split": "by mood"},
        {"approval": "ask"},
        {"force": "yes"},
        {"force_publish": "yes"},
        {"config": "../../etc/passwd"},
        {"dataset": None},
    ],
    ids=str,
)
def test_the_form_refuses_what_no_run_can_use(retrain: DAG, conf: dict[str, Any]) -> None:
    """Refused when it is pressed, not an hour later."""
    ((name, value),) = conf.items()
    with pytest.raises(ParamValidationError):
        retrain.params.get_param(name).resolve(value)


def test_the_environment_gives_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """And so what a night uses: a log's own split, for one."""
    assert defaults() == {"k": 5, "split": "random"}
    monkeypatch.setenv("RECSYS_K", "1")
    monkeypatch.setenv("RECSYS_SPLIT", "given")
    assert defaults() == {"k": 1, "split": "given"}
    assert defaults("features", "approval") == {"features": None, "approval": "preset"}
    monkeypatch.setenv("RECSYS_APPROVAL", "required")
    assert defaults("approval") == {"approval": "required"}
    monkeypatch.setenv("RECSYS_FEATURES", '{"poster": {"modality": "image", "encoder": "a"}}')
    assert defaults("features") == {"features": {"poster": {"modality": "image", "encoder": "a"}}}


@pytest.mark.parametrize(
    ("variable", "value"),
    [("RECSYS_K", "five"), ("RECSYS_K", "0"), ("RECSYS_SPLIT", "mine"), ("RECSYS_FEATURES", "poster")],
)
def test_a_default_that_no_run_can_use_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    """Where the DAG is parsed, by the name of the field: Airflow shows it as an import error."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(ParamValidationError, match=value):
        defaults("k", "split", "features")


def defaults(*names: str) -> dict[str, Any]:
    """What the form has for k and split, or for `names`, in the environment of now."""
    form = runpy.run_path(str(control_plane.ROOT / "plugins/recsys/form.py"))["RETRAIN"]
    return {name: form[name].resolve() for name in names or ("k", "split")}


def test_the_form_offers_the_models_presets_and_modalities_that_exist(retrain: DAG) -> None:
    """The DAG may not import the task package, so the lists are compared here, as text."""
    models = declared(control_plane.ROOT / "tasks/models/__init__.py", "MODELS")
    assert set(retrain.params.get_param("models").schema["examples"]) == set(models)
    presets = {path.stem for path in (control_plane.ROOT / "tasks/configs").glob("*.yaml")}
    assert set(retrain.params.get_param("config").schema["examples"]) == presets
    modalities = declared(control_plane.ROOT / "tasks/runs/config.py", "MODALITIES")
    assert set(retrain.params.get_param("modalities").schema["examples"]) == set(modalities)


@pytest.mark.parametrize("field", ["encoder", "config"])
def test_what_the_form_offers_is_accepted_and_so_is_another_name(retrain: DAG, field: str) -> None:
    """One that somebody trained or wrote: only the store, or the image, knows it."""
    for value in [*retrain.params.get_param(field).schema["examples"], "my-own"]:
        assert retrain.params.get_param(field).resolve(value) == value


def declared(path: Path, name: str) -> list[str]:
    """The strings in the tuple, or the keys of the dict, that a Python file assigns to `name`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                return list(ast.literal_eval(node.value))
    raise AssertionError(f"{path} assigns no {name}")
