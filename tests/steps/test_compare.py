"""`compare`: several models and seeds on one run's dataset, and what their differences are worth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tasks.errors import BadInput
from tasks.models import MODELS, build_model, model_class
from tasks.steps.compare import compare
from tasks.steps.comparison import figures_of
from tasks.steps.trials import permuted
from tasks.store import History, Store, read_artefact, write_artefact
from tasks.training import TrainingOptions
from tests.steps.night import DATASET, reach_prepare
from tests.world import content_world

RUN = "manual__compare"


@pytest.fixture
def prepared(folder_store: Store) -> Store:
    """A store with a run up to `prepare`."""
    reach_prepare(
        folder_store,
        RUN,
        ["popularity", "ease", "vbpr"],
        {"vbpr": {"max_epochs": 3, "embedding_size": 4, "content_size": 4}},
    )
    return folder_store


def result(store: Store) -> tuple[str, dict[str, dict[str, dict[str, dict[str, float]]]]]:
    """Table and differences of the last comparison."""
    found = read_artefact(store, f"runs/{RUN}/compare")
    assert found.path("plot.png").read_bytes().startswith(b"\x89PNG")
    return found.path("table.md").read_text(), found.json("differences.json")


def test_every_model_has_mean_spread_and_a_difference(prepared: Store) -> None:
    """Against the best without content, which of `popularity` and `ease` validation says; the best is a model."""
    done = compare(run=RUN, seeds=2, against="ease", threads=1)
    table, differences = result(prepared)
    assert done["trials"] == 6
    assert table.count(" ± ") >= 6
    assert set(differences["models"]) == {"popularity", "vbpr"}
    figures = read_artefact(prepared, f"runs/{RUN}/compare").frame("figures.csv")
    ndcg = figures[figures["figure"] == "ndcg@20"].groupby(["part", "model"])["value"].mean()
    mine = ndcg["test"]
    assert f"| ease | 2 | {ndcg['valid', 'ease']:.4f} |" in table
    for model, by_figure in differences["models"].items():
        assert by_figure["ndcg@20"]["mean"] == pytest.approx(mine[model] - mine["ease"], abs=1e-6)


def test_what_was_trained_is_not_trained_again(prepared: Store) -> None:
    """More seeds and models add trials; other hyper-parameters and another dataset replace theirs."""
    compare(run=RUN, models="vbpr", seeds=1, against="vbpr", threads=1)
    kept = read_artefact(prepared, f"runs/{RUN}/compare-trials/plain/vbpr-7").manifest
    compare(run=RUN, models="vbpr,ease", seeds=2, against="ease", threads=1)
    assert read_artefact(prepared, f"runs/{RUN}/compare-trials/plain/vbpr-7").manifest == kept
    plan = read_artefact(prepared, f"runs/{RUN}/scan").json("plan.json")
    plan["config"]["hyperparameters"]["vbpr"]["content_size"] = 2
    with write_artefact(prepared, f"runs/{RUN}/scan") as out:
        out.json("plan.json", plan)
    compare(run=RUN, models="vbpr", seeds=1, against="vbpr", threads=1)
    assert read_artefact(prepared, f"runs/{RUN}/compare-trials/plain/vbpr-7").manifest != kept


def test_permuted_content_is_asked_of_models_that_look_at_it(prepared: Store) -> None:
    """And only of them; the table has both figures and their difference."""
    compare(run=RUN, seeds=1, against="ease", permute=True, threads=1)
    table, differences = result(prepared)
    assert "Does the content help?" in table
    assert set(differences["content"]) == {"vbpr"}
    figures = read_artefact(prepared, f"runs/{RUN}/compare").frame("figures.csv")
    assert set(figures.loc[figures["world"] == "permuted", "model"]) == {"vbpr"}


def test_cold_items_are_ranked_by_every_model(prepared: Store) -> None:
    """Among themselves and among all."""
    compare(run=RUN, seeds=1, against="ease", cold=True, threads=1)
    table, _ = result(prepared)
    figures = read_artefact(prepared, f"runs/{RUN}/compare").frame("figures.csv")
    cold = figures[(figures["world"] == "cold") & (figures["part"] != "fit")]
    assert set(cold["part"]) == {"held-out items", "all items"}
    assert set(cold["model"]) == {"popularity", "ease", "vbpr"}
    assert "Items that nobody took in training" in table


@pytest.mark.services
def test_it_is_against_what_is_served_unless_told(prepared: Store, history: History) -> None:
    """Or, where nothing is, against the best without content."""
    assert compare(run=RUN, seeds=1, threads=1)["against"] in {"ease", "popularity"}
    history.start_run(RUN, DATASET, {})
    history.record_training(RUN, "vbpr", "enc", 7, {}, f"runs/{RUN}/train-vbpr")
    assert history.promote(DATASET, RUN, "vbpr", "release", {}, "hash", seen=None)
    assert compare(run=RUN, seeds=1, threads=1)["against"] == "vbpr"


@pytest.mark.parametrize("models", ["ease,ease", "eas", ","])
def test_models_that_are_none_are_an_error(prepared: Store, models: str) -> None:
    """It names the known ones."""
    with pytest.raises(BadInput, match=r"expected some of popularity, itemknn.*, each once"):
        compare(run=RUN, models=models, against="ease")


def test_an_impossible_hyper_parameter_is_said_before_anything_is_trained(prepared: Store) -> None:
    """Though its model comes last."""
    plan = read_artefact(prepared, f"runs/{RUN}/scan").json("plan.json")
    plan["config"]["hyperparameters"]["vbpr"]["size"] = 2
    with write_artefact(prepared, f"runs/{RUN}/scan") as out:
        out.json("plan.json", plan)
    with pytest.raises(BadInput, match="model vbpr: unknown hyper-parameter size"):
        compare(run=RUN, against="ease")
    assert not list(prepared.list(f"runs/{RUN}/compare-trials"))


def test_the_model_to_beat_is_one_of_the_compared(prepared: Store) -> None:
    """Or there would be no pair."""
    with pytest.raises(BadInput, match="--against bpr found, expected one of the compared models: popularity, ease"):
        compare(run=RUN, against="bpr")


def test_permuting_moves_all_modalities_of_an_item_together() -> None:
    """So that only what belongs to which item is lost, and not what belongs together."""
    data = content_world()
    rows = {name: np.arange(len(matrix))[:, None].astype(np.float32) for name, matrix in data.features.items()}
    found = permuted(replace(data, features=rows), 3).features
    np.testing.assert_array_equal(found["image"], found["audio"])
    assert sorted(found["image"].ravel().tolist()) == list(range(data.shape[1]))
    assert (found["image"] != rows["image"]).mean() > 0.9


@pytest.mark.parametrize("name", MODELS)
def test_a_model_says_whether_it_looks_at_content(name: str) -> None:
    """Other content gives other scores exactly where it says so."""
    brief = {"max_epochs": 1, "batch_size": 64} if "max_epochs" in model_class(name).Config.model_fields else {}
    data = content_world(users=24, items=40, taken=2)
    scores = []
    for world in (data, permuted(data, 1)):
        model = build_model(name, brief, world)
        model.fit(TrainingOptions())
        scores.append(model.scores(np.arange(5)))
    assert np.array_equal(*scores) != model_class(name).uses_content


def test_figures_keep_every_trial_apart(prepared: Store) -> None:
    """One row for each world, model, seed, part and figure."""
    compare(run=RUN, seeds=2, models="ease", against="ease", cold=True, threads=1)
    steps = [f"plain/ease-{seed}" for seed in (7, 8)] + [f"cold/ease-{seed}" for seed in (7, 8)]
    table = figures_of([read_artefact(prepared, f"runs/{RUN}/compare-trials/{step}") for step in steps])
    assert not table.duplicated(["world", "model", "seed", "part", "figure"]).any()
