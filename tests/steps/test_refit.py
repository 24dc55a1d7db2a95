"""`refit`: what is served has learned from every interaction, and is still the model that was evaluated."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from tasks.__main__ import main
from tasks.errors import BadInput, NotFound
from tasks.models.saved import load_model
from tasks.quality import RefitFacts, check_refit
from tasks.quality import refit as quality
from tasks.releases.server import ReleaseServer
from tasks.runs.prepared import load_dataset
from tasks.steps.evaluate import evaluate
from tasks.steps.publish import publish
from tasks.steps.refit import refit
from tasks.steps.train import train
from tasks.store import History, Store, read_artefact, write_artefact
from tests.released import by_item
from tests.steps.night import DATASET, reach_prepare, reach_publish

EPOCHS = {"max_epochs": 12, "evaluate_every": 3, "patience": 2}


def reach_refit(store: Store, hyperparameters: Mapping[str, dict[str, object]]) -> None:
    """A run whose models are trained and evaluated, without a database."""
    reach_prepare(store, "r1", list(hyperparameters), hyperparameters)
    for model in hyperparameters:
        train(run="r1", model=model, threads=1)
        evaluate(run="r1", model=model)


@pytest.fixture(autouse=True)
def _without_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_METRICS_DSN", "none")


@pytest.mark.slow
def test_every_interaction_is_learned(folder_store: Store) -> None:
    """Popularity counts all three parts; its twin counted one."""
    reach_refit(folder_store, {"popularity": {}})
    closing = refit(run="r1", threads=1)
    data = load_dataset(folder_store, "r1")
    everything = load_dataset(folder_store, "r1", all_in_train=True)
    assert everything.train.nnz == data.train.nnz + data.valid.nnz + data.test.nnz
    model = load_model(read_artefact(folder_store, "runs/r1/refit"), everything)
    counts = np.asarray((data.train + data.valid + data.test).sum(axis=0)).ravel()
    found = model.scores(np.array([0]))[0]
    np.testing.assert_array_equal(np.argsort(-found, kind="stable"), np.argsort(-counts, kind="stable"))
    assert closing["model"] == "popularity"


@pytest.mark.slow
def test_a_gradient_model_runs_the_epochs_of_the_best_one(folder_store: Store) -> None:
    """With more rows an epoch has more steps, so steps grow with rows; nothing stops it early, nothing is validated."""
    reach_refit(folder_store, {"bpr": {**EPOCHS, "embedding_size": 8}})
    before = read_artefact(folder_store, "runs/r1/train-bpr").json("training.json")
    refit(run="r1", threads=1)
    after = read_artefact(folder_store, "runs/r1/refit").json("refit.json")
    assert after["epochs"] == before["best_epoch"] == before["settled"]["max_epochs"]
    assert after["valid"] is None
    config = read_artefact(folder_store, "runs/r1/refit").json("config.json")["config"]
    assert config == before["settled"]


@pytest.mark.slow
def test_members_and_weights_of_an_ensemble_are_kept(folder_store: Store) -> None:
    """Each member runs as long as its own best epoch; the weights are those that validation chose."""
    members = {"ease": {}, "bpr": {**EPOCHS, "embedding_size": 8}}
    reach_refit(folder_store, {"hybrid": {"members": members}})
    weights = read_artefact(folder_store, "runs/r1/train-hybrid").tensors("model.safetensors")["weights"].tolist()
    refit(run="r1", threads=1)
    config = read_artefact(folder_store, "runs/r1/refit").json("config.json")["config"]
    assert [1.0, *config["weights"]] == weights
    assert config["members"]["bpr"]["max_epochs"] in range(3, 13, 3)
    assert config["members"]["bpr"]["patience"] == 2


@pytest.mark.slow
def test_another_model_than_the_twin_is_refused(
    folder_store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 10, and a report of what was made, without which `publish` publishes nothing."""
    monkeypatch.setattr(quality, "LEAST_OVERLAP", 0.9)  # of 25 items that are left, any two lists share 15 of 20
    reach_refit(folder_store, {"popularity": {}, "itemknn": {}})
    trained = read_artefact(folder_store, "runs/r1/train-popularity")
    state = {"counts": -trained.tensors("model.safetensors")["counts"]}
    evaluated = read_artefact(folder_store, "runs/r1/evaluate-popularity").json("metrics.json")
    evaluated["valid"]["ndcg@20"] = 1.0
    inputs = [read_artefact(folder_store, prefix) for prefix in trained.manifest.inputs]
    with write_artefact(folder_store, trained.prefix, inputs=inputs) as out:
        out.tensors("model.safetensors", state)
        out.copy("config.json", trained)
        out.copy("training.json", trained)
    again = read_artefact(folder_store, "runs/r1/train-popularity")
    with write_artefact(folder_store, "runs/r1/evaluate-popularity", inputs=[*inputs, again]) as out:
        out.json("metrics.json", evaluated)
    assert main(["refit", "--run", "r1", "--threads", "1"]) == 10
    assert "lists_resemble_the_twin" in capsys.readouterr().err
    report = read_artefact(folder_store, "runs/r1/check-refit").json("report.json")
    assert [one["expectation"] for one in report["results"] if not one["success"]] == ["lists_resemble_the_twin"]
    assert "runs/r1/refit" in read_artefact(folder_store, "runs/r1/check-refit").manifest.inputs


@pytest.mark.parametrize(
    ("facts", "failed"),
    [
        (RefitFacts(np.array([0.5, 0.7]), finite=True, loss=None, twin_loss=None), []),
        (RefitFacts(np.array([0.5, 0.7]), finite=True, loss=0.31, twin_loss=0.3), []),
        (RefitFacts(np.array([0.5, 0.7]), finite=True, loss=0.5, twin_loss=0.3), ["loss_is_like_the_twin"]),
        (RefitFacts(np.zeros(2), finite=False, loss=None, twin_loss=None), ["scores_are_finite", "lists_resemble"]),
    ],
)
def test_what_is_checked_without_held_out_rows(facts: RefitFacts, failed: list[str]) -> None:
    """Each bound by itself."""
    found = [check.expectation for check in check_refit(facts).failures]
    assert len(found) == len(failed)
    assert all(name.startswith(start) for name, start in zip(found, failed, strict=True))


@pytest.mark.slow
def test_a_model_trained_by_an_earlier_version_is_named(folder_store: Store) -> None:
    """It does not say how to train again, and nothing is guessed."""
    reach_refit(folder_store, {"popularity": {}})
    trained = read_artefact(folder_store, "runs/r1/train-popularity")
    inputs = [read_artefact(folder_store, prefix) for prefix in trained.manifest.inputs]
    with write_artefact(folder_store, trained.prefix, inputs=inputs) as out:
        out.copy("model.safetensors", trained)
        out.copy("config.json", trained)
        out.json("training.json", {"model": "popularity", "loss": None})
    evaluate(run="r1", model="popularity")
    with pytest.raises(BadInput, match="does not say how to train again"):
        refit(run="r1", threads=1)


@pytest.mark.services
def test_the_release_serves_the_refit_and_keeps_the_twin(
    folder_store: Store, history: History, metrics_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Known users are scored from everything they took; without a refit nothing is published."""
    monkeypatch.setenv("RECSYS_METRICS_DSN", metrics_dsn)
    reach_publish(folder_store, history, "r1", {"ease": 0.3})
    release = read_artefact(folder_store, f"releases/{DATASET}/{publish(run='r1')['release']}")
    everything = load_dataset(folder_store, "r1", all_in_train=True)
    model = load_model(read_artefact(folder_store, "runs/r1/refit"), everything)
    found = by_item(ReleaseServer(release).recommend(str(everything.user_ids[3]), 40, include_seen=True))
    mine = [found[str(item)] for item in everything.item_ids]
    np.testing.assert_allclose(mine, model.scores(np.array([3]))[0], rtol=1e-4, atol=1e-5)
    trained = read_artefact(folder_store, "runs/r1/train-ease")
    files, twin = release.manifest.files, trained.manifest.files
    assert files["twin_model.safetensors"].sha256 == twin["model.safetensors"].sha256
    assert files["model.safetensors"].sha256 != twin["model.safetensors"].sha256
    folder_store.delete("runs/r1/refit/manifest.json")
    with pytest.raises(NotFound, match="refit"):
        publish(run="r1")
