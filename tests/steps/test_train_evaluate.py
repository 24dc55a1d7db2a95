"""`train` and `evaluate`, from what `prepare` left to the metrics in the history."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from tasks.errors import BadInput, NotFound
from tasks.metrics import beyond_accuracy, by_segment, user_values
from tasks.metrics import evaluate as measure
from tasks.models.saved import load_model
from tasks.runs.prepared import load_dataset, prepared_artefact
from tasks.steps.align import align
from tasks.steps.evaluate import evaluate
from tasks.steps.extract import extract
from tasks.steps.prepare import prepare as prepare_again
from tasks.steps.train import train
from tasks.store import History, Store, read_artefact, write_artefact
from tests.steps.night import DATASET, reach_prepare

RUN = "scheduled__2026-11-21T02:00:00+00:00"
HYPERPARAMETERS: dict[str, dict[str, object]] = {"bpr": {"max_epochs": 6, "evaluate_every": 2, "embedding_size": 8}}


@pytest.fixture
def prepared(folder_store: Store) -> Store:
    """A store with a run up to `prepare`."""
    reach_prepare(folder_store, RUN, ["popularity", "bpr"], HYPERPARAMETERS)
    return folder_store


def test_train_keeps_the_model_and_how_it_was_trained(prepared: Store) -> None:
    """Hyperparameters of the plan on top of the defaults, its seed, one record an epoch, and what went in."""
    result = train(run=RUN, model="bpr", threads=1)
    artefact = read_artefact(prepared, f"runs/{RUN}/train-bpr")
    training = artefact.json("training.json")
    assert artefact.json("config.json")["model"] == "bpr"
    assert artefact.manifest.parameters["max_epochs"] == 6
    assert artefact.manifest.parameters["batch_size"] == 4096
    assert artefact.manifest.seed == 7
    assert set(artefact.manifest.inputs) == {f"runs/{RUN}/scan", prepared_artefact(prepared, RUN).prefix}
    assert [record["epoch"] for record in training["history"]] == [1, 2, 3, 4, 5, 6]
    assert [record["valid"] is None for record in training["history"]] == [True, False] * 3
    best = max(record["valid"] for record in training["history"] if record["valid"] is not None)
    assert training["valid"] == result["valid"] == best
    assert (training["device"], training["threads"]) == ("cpu", 1)


def test_the_model_kept_is_the_one_that_was_best_on_validation(prepared: Store) -> None:
    """Loaded again it has the score that selected it."""
    result = train(run=RUN, model="bpr", threads=1)
    data = load_dataset(prepared, RUN)
    model = load_model(read_artefact(prepared, f"runs/{RUN}/train-bpr"), data)
    assert measure(model.scores, data, "valid").means()["ndcg@20"] == pytest.approx(result["valid"])


def test_a_model_of_another_split_is_not_measured(prepared: Store) -> None:
    """What is test now may have been training then; nothing is written."""
    train(run=RUN, model="popularity", threads=1)
    plan = read_artefact(prepared, f"runs/{RUN}/scan").json("plan.json")
    plan["config"]["seed"] = 8
    with write_artefact(prepared, f"runs/{RUN}/scan") as out:
        out.json("plan.json", plan)
        out.counts["with_all"] = 0
    extract(run=RUN, feature="text")
    align(run=RUN)
    prepare_again(run=RUN)
    with pytest.raises(BadInput, match=r"train-popularity was made from another .* than the current one"):
        evaluate(run=RUN, model="popularity")
    assert not list(prepared.list(f"runs/{RUN}/evaluate-popularity"))


def test_training_again_gives_the_same_model(prepared: Store) -> None:
    """To the bit, so a retry is harmless."""
    tensors = []
    for _ in range(2):
        train(run=RUN, model="bpr", threads=1)
        tensors.append(read_artefact(prepared, f"runs/{RUN}/train-bpr").tensors("model.safetensors"))
    for name, tensor in tensors[0].items():
        np.testing.assert_array_equal(tensors[1][name].numpy(), tensor.numpy())


def test_a_closed_form_has_one_record_without_loss(prepared: Store) -> None:
    """And no validation metric is invented for it."""
    result = train(run=RUN, model="popularity", threads=1)
    assert (result["epochs"], result["loss"], result["valid"]) == (1, None, None)


@pytest.mark.parametrize("step", [train, evaluate])
def test_a_model_outside_the_plan_is_an_error(prepared: Store, step: object) -> None:
    """It names those of the run."""
    assert callable(step)
    with pytest.raises(BadInput, match=r"model 'ease' is not in run .* expected one of its models: popularity, bpr"):
        step(run=RUN, model="ease")


def test_evaluate_wants_a_trained_model(prepared: Store) -> None:
    """It says which step is missing."""
    with pytest.raises(NotFound, match="train-bpr"):
        evaluate(run=RUN, model="bpr")


@pytest.mark.services
def test_evaluate_writes_the_metrics_and_records_them(prepared: Store, history: History) -> None:
    """Both splits, nine metrics at four cut-offs, in the artefact and in the history; twice leaves the same rows."""
    history.start_run(RUN, DATASET, {})
    train(run=RUN, model="bpr", threads=1)
    for _ in range(2):
        result = evaluate(run=RUN, model="bpr")
    artefact = read_artefact(prepared, f"runs/{RUN}/evaluate-bpr")
    written = artefact.json("metrics.json")
    data = load_dataset(prepared, RUN)
    model = load_model(read_artefact(prepared, f"runs/{RUN}/train-bpr"), data)
    for split in ("valid", "test"):
        found = measure(model.scores, data, split)
        assert written[split] == found.means() | beyond_accuracy(found, data)
        assert written["users"][split] == len(found.users)
        assert result[f"{split}_ndcg@20"] == written[split]["ndcg@20"]
    assert f"runs/{RUN}/train-bpr" in artefact.manifest.inputs
    table = history.table(dataset=DATASET, model="bpr", split=None, since=None, runs=10)
    assert len(table) == 2 * 10 * 4
    row = table[(table["split"] == "test") & (table["metric"] == "map") & (table["k"] == 10)]
    assert row["value"].tolist() == [written["test"]["map@10"]]
    assert set(table["encoder"]) == {"enc"}


@pytest.mark.services
def test_evaluate_keeps_the_values_of_every_user_and_segment(prepared: Store, history: History) -> None:
    """In the artefact, by the users' own ids; segments also in the history, where no user is."""
    history.start_run(RUN, DATASET, {})
    train(run=RUN, model="popularity", threads=1)
    evaluate(run=RUN, model="popularity")
    artefact = read_artefact(prepared, f"runs/{RUN}/evaluate-popularity")
    data = load_dataset(prepared, RUN)
    model = load_model(read_artefact(prepared, f"runs/{RUN}/train-popularity"), data)
    users, written = artefact.frame("users.parquet"), artefact.json("metrics.json")
    for split in ("valid", "test"):
        found = measure(model.scores, data, split)
        kept = user_values(users, split)
        assert kept.users.tolist() == data.user_ids[found.users].tolist()
        assert kept.means() == pytest.approx(found.means(), rel=1e-6)
        assert written["segments"][split] == [asdict(one) for one in by_segment(found, data, split)]
    assert len(users) == sum(written["users"].values())
    table = history.table(dataset=DATASET, model="popularity", split=None, since=None, runs=10)
    assert len(table) == 2 * 10 * 4
    recorded = {
        (split, segment, f"{metric}@{k}"): (value, low)
        for split, segment, metric, k, value, low in history._rows(
            "SELECT split, segment, metric, k, value, low FROM rec.segment_history"
        )
    }
    for split in ("valid", "test"):
        for part in written["segments"][split]:
            mine = {name: recorded[split, part["segment"], name] for name in part["metrics"]}
            assert mine == {name: (value, None) for name, value in part["metrics"].items()}


@pytest.mark.services
def test_evaluate_records_how_sure_a_mean_is(prepared: Store, history: History) -> None:
    """The interval of each mean over users holds the mean; what is no mean over users has none."""
    history.start_run(RUN, DATASET, {})
    train(run=RUN, model="popularity", threads=1)
    evaluate(run=RUN, model="popularity")
    rows = history._rows("SELECT metric, value, low, high FROM rec.metrics_history")
    beyond = {"coverage", "novelty", "popularity", "diversity"}
    assert {metric for metric, _, low, _ in rows if low is None} == beyond
    assert all(low <= value <= high for metric, value, low, high in rows if metric not in beyond)
