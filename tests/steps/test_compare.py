"""`compare`: several models and seeds on one run's dataset, and what their differences are worth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from tasks.data import hold_out_items
from tasks.errors import BadInput, TaskError
from tasks.experiments.report import choose_best, collect_metrics
from tasks.experiments.trials import COLD_SHARE, choose_features, permute_features
from tasks.metrics import beyond_accuracy, evaluate
from tasks.models import MODELS, build_model, model_class
from tasks.models.ease import EASE
from tasks.runs.prepared import load_dataset
from tasks.steps.compare import compare
from tasks.store import Artefact, History, Manifest, Store, read_artefact, write_artefact
from tasks.training import TrainingOptions
from tests.steps.night import DATASET, reach_prepare
from tests.world import content_world

RUN = "manual__compare"


@pytest.fixture
def prepared(folder_store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store with a run up to `prepare`, and no metrics database."""
    monkeypatch.delenv("RECSYS_METRICS_DSN", raising=False)
    reach_prepare(
        folder_store,
        RUN,
        ["popularity", "ease", "vbpr"],
        {"vbpr": {"max_epochs": 3, "embedding_size": 4, "content_size": 4}},
    )
    return folder_store


@pytest.fixture
def two_features(prepared: Store) -> Store:
    """The same run with a second feature, and weights of content by feature."""
    plan = read_artefact(prepared, f"runs/{RUN}/scan").json("plan.json")
    del plan["config"]["modalities"], plan["config"]["encoder"]
    plan["config"]["features"] = {
        "text": {"modality": "text", "encoder": "enc"},
        "sound": {"modality": "audio", "encoder": "enc"},
    }
    plan["config"]["hyperparameters"]["cease"] = {"content": {"text": 2.0, "sound": 0.0}}
    with write_artefact(prepared, f"runs/{RUN}/scan") as out:
        out.json("plan.json", plan)
    whole = read_artefact(prepared, f"runs/{RUN}/prepare")
    items = len(whole.array("text_filtered.npy"))
    with write_artefact(prepared, f"runs/{RUN}/prepare") as out:
        for name in whole.manifest.files:
            out.copy(name, whole)
        out.array("sound_filtered.npy", np.random.default_rng(5).normal(size=(items, 3)).astype(np.float32))
    return prepared


def change_hyperparameters(store: Store, model: str, **values: object) -> None:
    """As if the run had been planned with them."""
    plan = read_artefact(store, f"runs/{RUN}/scan").json("plan.json")
    plan["config"]["hyperparameters"].setdefault(model, {}).update(values)
    with write_artefact(store, f"runs/{RUN}/scan") as out:
        out.json("plan.json", plan)


def result(store: Store) -> tuple[str, dict[str, dict[str, dict[str, dict[str, float]]]]]:
    """Table and differences of the last comparison."""
    found = read_artefact(store, f"runs/{RUN}/compare")
    assert found.path("plot.png").read_bytes().startswith(b"\x89PNG")
    return found.path("table.md").read_text(), found.json("differences.json")


@pytest.mark.slow
def test_every_model_has_mean_spread_and_a_difference(prepared: Store) -> None:
    """Of the users' values, against the model that was named."""
    done = compare(run=RUN, seeds=2, against="ease", threads=1)
    table, differences = result(prepared)
    assert done["trials"] == 6
    assert table.count(" ± ") >= 6
    assert set(differences["models"]) == {"popularity", "vbpr"}
    metrics = read_artefact(prepared, f"runs/{RUN}/compare").frame("figures.csv")
    ndcg = metrics[metrics["figure"] == "ndcg@20"].groupby(["part", "model"])["value"].mean()
    mine = ndcg["test"]
    assert f"| ease | 2 | {ndcg['valid', 'ease']:.4f} |" in table
    for model, by_metric in differences["models"].items():
        assert by_metric["ndcg@20"]["mean"] == pytest.approx(mine[model] - mine["ease"], abs=1e-6)


def test_without_a_database_the_log_says_that_none_is_written_to(
    prepared: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the model to beat is named, for what is served cannot be looked up."""
    caplog.set_level("INFO")
    compare(run=RUN, models="ease", seeds=1, against="ease", threads=1)
    assert (
        caplog.messages.count(
            "RECSYS_METRICS_DSN is not set: the comparison is kept in the store and not in the metrics database"
        )
        == 1
    )
    with pytest.raises(BadInput, match="RECSYS_METRICS_DSN is not set"):
        compare(run=RUN, models="ease", seeds=1, threads=1)


@pytest.mark.slow
def test_what_was_trained_is_not_trained_again(prepared: Store) -> None:
    """More seeds and models add trials, a dataset made again changes none, other options or bytes replace them."""

    def first() -> Manifest:
        return read_artefact(prepared, f"runs/{RUN}/compare-trials/plain/vbpr-7").manifest

    compare(run=RUN, models="vbpr", seeds=1, against="vbpr", threads=1)
    kept = first()
    compare(run=RUN, models="vbpr,ease", seeds=2, against="ease", threads=1)
    assert first() == kept
    change_hyperparameters(prepared, "vbpr", content_size=2)
    compare(run=RUN, models="vbpr", seeds=1, against="vbpr", threads=1)
    assert first() != kept
    kept, whole = first(), read_artefact(prepared, f"runs/{RUN}/prepare")
    for also in ("", "other bytes"):
        with write_artefact(prepared, f"runs/{RUN}/prepare", seed=99) as out:
            for name in whole.manifest.files:
                out.copy(name, whole)
            if also:
                out.file("also.txt").write_text(also)
        compare(run=RUN, models="vbpr", seeds=1, against="vbpr", threads=1)
        assert (first() != kept) is bool(also)


def test_a_trial_may_be_of_any_device_and_of_one_memory(prepared: Store) -> None:
    """So one comparison joins what several machines trained; `trial.json` says on what each was."""

    def first() -> Artefact:
        return read_artefact(prepared, f"runs/{RUN}/compare-trials/plain/ease-7")

    compare(run=RUN, models="ease", seeds=1, against="ease", threads=1)
    kept = first()
    assert kept.json("trial.json").items() >= {"device": "cpu", "torch": str(torch.__version__)}.items()
    compare(run=RUN, models="ease", seeds=1, against="ease", threads=1, device="cuda")
    assert first().manifest == kept.manifest
    compare(run=RUN, models="ease", seeds=1, against="ease", threads=1, memory=4.0)
    assert first().manifest != kept.manifest


@pytest.mark.slow
def test_the_order_of_a_hybrids_members_makes_another_trial(prepared: Store) -> None:
    """The first has the weight 1, and no other is the same."""
    found = []
    for members in ({"ease": {}, "popularity": {}}, {"popularity": {}, "ease": {}}):
        change_hyperparameters(prepared, "hybrid", members=members, weights=[0.3])
        compare(run=RUN, models="hybrid", seeds=1, against="hybrid", threads=1)
        found.append(read_artefact(prepared, f"runs/{RUN}/compare-trials/plain/hybrid-7").manifest)
    assert found[0] != found[1]


def test_a_model_that_diverges_costs_the_others_nothing(prepared: Store) -> None:
    """The table is made without it, its trials are not repeated, and the error names it."""
    change_hyperparameters(prepared, "vbpr", regularization=1e300)
    with pytest.raises(TaskError, match="1 of 3 models failed and are not in the table: vbpr: loss of vbpr was"):
        compare(run=RUN, models="vbpr,popularity,ease", seeds=2, against="ease", threads=1)
    table, differences = result(prepared)
    assert set(differences["models"]) == {"popularity"}
    assert "vbpr" not in table
    with pytest.raises(TaskError, match="loss of vbpr was"):
        compare(run=RUN, models="vbpr,ease", seeds=1, against="vbpr", threads=1)


def test_a_table_without_models_that_refuse_is_bad_input(prepared: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Retrying cannot help; where another diverges it is a fault, as that alone is."""

    def refuse(*_: object) -> None:
        raise BadInput("ease on 40 items found, expected less")

    monkeypatch.setattr(EASE, "_fit", refuse)
    with pytest.raises(BadInput, match="1 of 2 models failed and are not in the table: ease: ease on 40 items"):
        compare(run=RUN, models="ease,popularity", seeds=1, against="popularity", threads=1)
    change_hyperparameters(prepared, "vbpr", regularization=1e300)
    with pytest.raises(TaskError, match=r"2 of 3 models failed and are not in the table: ease: .*; vbpr: ") as both:
        compare(run=RUN, models="ease,vbpr,popularity", seeds=1, against="popularity", threads=1)
    assert not isinstance(both.value, BadInput)


def metrics_table(rows: dict[tuple[str, str], float]) -> pd.DataFrame:
    """NDCG@20 by model and part, of one seed in the plain world."""
    columns = ["world", "model", "seed", "part", "figure", "value"]
    return pd.DataFrame([("plain", m, 7, part, "ndcg@20", v) for (m, part), v in rows.items()], columns=columns)


def test_the_best_is_chosen_on_validation() -> None:
    """Though another is better on test."""
    found = metrics_table({("a", "valid"): 0.3, ("b", "valid"): 0.2, ("a", "test"): 0.1, ("b", "test"): 0.4})
    assert choose_best(found, ["b", "a"]) == "a"
    assert choose_best(found, ["b"]) == "b"


@pytest.mark.slow
def test_what_may_be_chance_is_not_called_above(prepared: Store) -> None:
    """Content that is not shown to help is named, whichever mean is higher."""
    compare(run=RUN, seeds=1, against="ease", threads=1)
    table, differences = result(prepared)
    low = differences["models"]["vbpr"]["ndcg@20"]["low"]
    assert low <= 0
    assert "that are not better than ease significantly: vbpr." in table
    compare(run=RUN, seeds=1, against="vbpr", threads=1)
    table, differences = result(prepared)
    assert differences["models"]["ease"]["ndcg@20"]["mean"] > 0
    assert "that are not better than ease by its mean: vbpr." in table


def test_permuted_content_is_asked_of_models_that_look_at_it(prepared: Store) -> None:
    """And only of them; the table has both metrics and their difference."""
    compare(run=RUN, seeds=1, against="ease", permute=True, threads=1)
    table, differences = result(prepared)
    assert "Does content help?" in table
    assert set(differences["content"]) == {"vbpr"}
    metrics = read_artefact(prepared, f"runs/{RUN}/compare").frame("figures.csv")
    assert set(metrics.loc[metrics["world"] == "permuted", "model"]) == {"vbpr"}


@pytest.mark.slow
def test_cold_items_are_ranked_by_every_model(prepared: Store) -> None:
    """Among themselves and among all."""
    compare(run=RUN, seeds=1, against="ease", cold=True, threads=1)
    table, _ = result(prepared)
    metrics = read_artefact(prepared, f"runs/{RUN}/compare").frame("figures.csv")
    cold = metrics[(metrics["world"] == "cold") & (metrics["part"] != "fit")]
    assert set(cold["part"]) == {"held-out items", "all items"}
    assert set(cold["model"]) == {"popularity", "ease", "vbpr"}
    assert "Cold items" in table


def test_a_cold_trial_says_what_holding_out_cost(prepared: Store) -> None:
    """Test interactions of other items, and what went with users who have nothing left in train."""
    compare(run=RUN, seeds=1, models="ease", against="ease", cold=True, threads=1)
    found = read_artefact(prepared, f"runs/{RUN}/compare-trials/cold/ease-7").json("trial.json")
    cold = hold_out_items(load_dataset(prepared, RUN), share=COLD_SHARE, seed=7)
    assert found["warm_test"] == cold.warm_test > 0
    assert (found["untrained"], found["users_untrained"]) == (cold.untrained, cold.users_untrained)


@pytest.mark.services
def test_it_is_against_what_is_served_unless_told(
    prepared: Store, history: History, caplog: pytest.LogCaptureFixture
) -> None:
    """Or, where that is nothing or not compared, against the best without content; the log says so."""
    caplog.set_level("INFO")
    assert compare(run=RUN, seeds=1, threads=1)["against"] == "ease"
    said = "differences are to ease, the best without content on validation"
    assert f"{said}: nothing is served" in caplog.messages
    history.start_run(RUN, DATASET, {})
    history.record_training(RUN, "vbpr", "enc", 7, {}, f"runs/{RUN}/train-vbpr")
    assert history.promote(DATASET, RUN, "vbpr", "release", {}, "hash", seen=None)
    caplog.clear()
    assert compare(run=RUN, seeds=1, threads=1)["against"] == "vbpr"
    assert "differences are to" not in caplog.text
    assert compare(run=RUN, models="popularity,ease", seeds=1, threads=1)["against"] == "ease"
    assert f"{said}: vbpr is served, but not compared" in caplog.messages


@pytest.mark.parametrize("models", ["ease,ease", "eas", ","])
def test_models_that_are_none_are_an_error(prepared: Store, models: str) -> None:
    """It names the known ones."""
    with pytest.raises(BadInput, match=f"expected some of {', '.join(MODELS)}, each once"):
        compare(run=RUN, models=models, against="ease")


def test_an_impossible_hyper_parameter_is_said_before_anything_is_trained(prepared: Store) -> None:
    """Though its model comes last."""
    change_hyperparameters(prepared, "vbpr", size=2)
    with pytest.raises(BadInput, match="model vbpr: unknown hyperparameter size"):
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
    found = permute_features(replace(data, features=rows), 3).features
    np.testing.assert_array_equal(found["image"], found["audio"])
    assert sorted(found["image"].ravel().tolist()) == list(range(data.shape[1]))
    assert (found["image"] != rows["image"]).mean() > 0.9


@pytest.mark.parametrize("name", MODELS)
def test_a_model_says_whether_it_looks_at_content(name: str) -> None:
    """Other content gives other scores exactly where it says so."""
    brief = {"max_epochs": 1, "batch_size": 64} if "max_epochs" in model_class(name).Config.model_fields else {}
    data = content_world(users=24, items=40, train=2)
    scores = []
    for world in (data, permute_features(data, 1)):
        model = build_model(name, brief, world)
        model.fit(TrainingOptions())
        scores.append(model.scores(np.arange(5)))
    assert np.array_equal(*scores) != model_class(name).uses_content


def test_metrics_keep_every_trial_apart(prepared: Store) -> None:
    """One row for each world, model, seed, part and metric."""
    compare(run=RUN, seeds=2, models="ease", against="ease", cold=True, threads=1)
    steps = [f"plain/ease-{seed}" for seed in (7, 8)] + [f"cold/ease-{seed}" for seed in (7, 8)]
    table = collect_metrics([read_artefact(prepared, f"runs/{RUN}/compare-trials/{step}") for step in steps])
    assert not table.duplicated(["world", "model", "seed", "part", "figure"]).any()


@pytest.mark.slow
def test_each_choice_of_features_is_compared_as_a_model_of_its_own(two_features: Store) -> None:
    """Models without content once; a choice is written behind the model, and is what the model sees."""
    done = compare(run=RUN, models="ease,cease", features="text,sound,text+sound", seeds=1, against="ease", threads=1)
    table, differences = result(two_features)
    assert done["trials"] == 4
    assert set(differences["models"]) == {"cease:text", "cease:sound", "cease:text+sound"}
    for name in ("ease", *differences["models"]):
        assert f"| {name} | 1 |" in table
    data = load_dataset(two_features, RUN)
    for chosen in (("text",), ("sound",)):
        world = choose_features(data, chosen)
        assert set(world.features) == set(chosen)
        model = build_model("cease", {"content": dict.fromkeys(chosen, 2.0)}, world)
        model.fit(TrainingOptions(seed=7))
        kept = read_artefact(two_features, f"runs/{RUN}/compare-trials/plain/cease:{chosen[0]}-7").json("trial.json")
        expected = evaluate(model.scores, world, "test").means()["ndcg@20"]
        assert kept["figures"]["test"]["ndcg@20"] == pytest.approx(expected)


@pytest.mark.parametrize("features", ["", "text,plot", "text,text", "text+text", "text+sound,sound+text"])
def test_features_that_are_none_are_an_error(two_features: Store, features: str) -> None:
    """It names those of the run."""
    with pytest.raises(BadInput, match=r"expected some of text, sound, with \+ where a model sees several"):
        compare(run=RUN, models="ease", features=features, against="ease")


def test_the_diversity_of_lists_is_of_all_features_whichever_the_model_saw(two_features: Store) -> None:
    """Else lists of different choices could not be compared; what a training costs is a column too."""
    compare(run=RUN, models="popularity,cease", features="text,sound", seeds=1, against="popularity", threads=1)
    table, _ = result(two_features)
    assert "| coverage@20 | diversity@20 | seconds | CPU s | MiB |" in table
    model = build_model("popularity", {}, data := load_dataset(two_features, RUN))
    model.fit(TrainingOptions(seed=7))
    expected = beyond_accuracy(evaluate(model.scores, data, "test"), data)["diversity@20"]
    kept = read_artefact(two_features, f"runs/{RUN}/compare-trials/plain/popularity-7").json("trial.json")
    assert kept["figures"]["test"]["diversity@20"] == pytest.approx(expected)
    assert min(kept["cpu"], kept["peak_mib"]) >= 0
