"""What every recommender promises, tested once for all of MODELS."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import sparse
from threadpoolctl import threadpool_info

from tasks.data import Dataset
from tasks.errors import BadInput, Corrupt, TaskError
from tasks.metrics import evaluate
from tasks.models import MODELS, build_model, model_class
from tasks.models.base import Model
from tasks.models.families.gradient import GradientModel
from tasks.models.popularity import Popularity
from tasks.models.saved import load_model, save_model
from tasks.store import FolderStore, read_artefact, write_artefact
from tasks.training import Batch, EpochRecord, TrainingOptions
from tests.registry import CONTENT, GRADIENT, GRADIENT_CONTENT
from tests.world import checkerboard, content_world, random_world

BLIND = {  # content models whose score of an item that nobody interacted with does not depend on its content, and why
    "bm3": "content is only a target of the loss of items in a batch, the score is of nodes alone (its equation 13)",
}
CHANCE = [*GRADIENT, "ials", "cmf", "hybrid"]  # those that begin somewhere
STOPPED = ["bm3"]  # whose targets get no gradient: finite differences of the whole loss are others, see its own test
PERSONAL = [name for name in MODELS if name != "popularity"]  # which is the baseline by knowing no user
QUICK = {"learning_rate": 0.02, "batch_size": 128, "max_epochs": 40, "embedding_size": 16, "regularization": 1e-3}
BRIEF = QUICK | {"max_epochs": 5}  # where it does not matter how much was learned


@cache
def on_checkerboard(name: str) -> tuple[Model, list[EpochRecord]]:
    """Fitted once for all tests, which look at it and leave it as it is."""
    model = build_model(name, QUICK if name in GRADIENT else {}, checkerboard())
    return model, model.fit(TrainingOptions(seed=0))


def begin(name: str, data: Dataset, seed: int = 0) -> Model:
    """After a few epochs, where it learns in epochs."""
    model = build_model(name, BRIEF if name in GRADIENT else {}, data)
    model.fit(TrainingOptions(seed=seed))
    return model


@pytest.fixture(scope="module", params=list(MODELS))
def model(request: pytest.FixtureRequest) -> Model:
    """Each model, fitted on the checkerboard."""
    return on_checkerboard(request.param)[0]


@pytest.mark.parametrize("name", PERSONAL)
def test_it_finds_the_withheld_item(name: str) -> None:
    """Of all other items, the held-out one comes first, or second after the other held-out one of its colour."""
    found = on_checkerboard(name)[0]
    scores = found.scores(np.arange(30))
    scores[found.data.train.toarray() > 0] = -np.inf
    best = np.argsort(-scores, axis=1)[:, :2]  # the validation item is withheld too
    assert (best == np.arange(30)[:, None]).any(axis=1).all()


@pytest.mark.parametrize("name", GRADIENT)
def test_its_loss_falls(name: str) -> None:
    """The loss ends far below where it began, which finding the item alone does not show."""
    losses = [record.loss for record in on_checkerboard(name)[1]]
    assert losses[0] is not None
    assert losses[-1] is not None
    assert losses[-1] < 0.8 * losses[0]


def repeated(model: GradientModel, batch: Batch) -> torch.Tensor:
    """The loss with the same chance again."""
    model.start_epoch(np.random.default_rng(0))
    return model.loss(batch)


@pytest.mark.parametrize("name", [name for name in GRADIENT if name not in STOPPED])
def test_its_gradient_is_that_of_its_loss(name: str) -> None:
    """Every parameter's gradient equals the finite difference of the loss, in a random direction and in float64."""
    found = begin(name, random_world(7, 9))
    assert isinstance(found, GradientModel)
    found.double()
    found.zero_grad()
    found.start_epoch(np.random.default_rng(0))
    batch = Batch(torch.tensor([0, 3, 3, 6]), torch.tensor([0, 1, 2, 8]), torch.tensor([4, 8, 1, 0]))
    found.loss(batch).backward()
    for parameter in found.parameters():
        assert parameter.grad is not None
        direction = torch.randn(parameter.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            parameter.add_(direction, alpha=1e-6)
            above = repeated(found, batch)
            parameter.sub_(direction, alpha=2e-6)
            below = repeated(found, batch)
            parameter.add_(direction, alpha=1e-6)
        torch.testing.assert_close((parameter.grad * direction).sum(), (above - below) / 2e-6, rtol=1e-5, atol=1e-8)


def test_scores_are_finite_float32_of_the_whole_catalogue(model: Model) -> None:
    """(users asked for, items), each a finite float32."""
    scores = model.scores(np.array([3, 0]))
    assert scores.shape == (2, 30)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()


def test_no_users_get_no_rows(model: Model) -> None:
    """An empty question has an empty answer."""
    assert model.scores(np.array([], dtype=int)).shape == (0, 30)


def test_the_order_of_users_does_not_matter(model: Model) -> None:
    """A user's scores are the same whoever else is asked for, however often and in whatever order."""
    rows, every = np.array([5, 1, 29, 1]), np.arange(30)
    rows.setflags(write=False)
    np.testing.assert_allclose(model.scores(rows), model.scores(every)[rows], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.scores(every[::-1]), model.scores(every)[::-1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("users", "said"),
    [
        (np.array([0, 30]), "user 30 found, expected row numbers from 0 to 29"),
        (np.array([-1]), "user -1 found, expected row numbers from 0 to 29"),
        (np.array([0.5]), "expected one axis of row numbers"),
        (np.array([[0]]), "expected one axis of row numbers"),
    ],
)
def test_an_unknown_user_is_a_clear_error(model: Model, users: np.ndarray, said: str) -> None:
    """It is not the last row, nor rounded."""
    with pytest.raises(BadInput, match=said):
        model.scores(users)


def test_a_saved_model_scores_the_same(model: Model, tmp_path: Path) -> None:
    """Through an artefact and back, to the bit, item vectors too."""
    store = FolderStore(tmp_path)
    with write_artefact(store, "runs/r/train-m") as out:
        save_model(out, model)
    loaded = load_model(read_artefact(store, "runs/r/train-m"), checkerboard())
    users = np.arange(30)
    np.testing.assert_array_equal(loaded.scores(users), model.scores(users))
    assert type(loaded) is type(model)
    assert loaded.config == model.config
    if (vectors := model.item_vectors()) is not None:
        assert len(vectors) == 30
        np.testing.assert_array_equal(loaded.item_vectors(), vectors)


def test_a_state_of_another_dataset_is_refused(model: Model) -> None:
    """Names and shapes are compared, never broadcast or left out."""
    other = build_model(model.name, model.config.model_dump(), checkerboard(20))
    with pytest.raises(Corrupt, match=f"state of model {model.name} holds"):
        other.load_state(model.state())
    with pytest.raises(Corrupt, match="expected"):
        build_model(model.name, {}, model.data).load_state({})


@pytest.mark.parametrize("name", MODELS)
def test_the_same_seed_gives_the_same_result(name: str) -> None:
    """To the bit; another seed gives another, where there is chance at all."""
    users = np.arange(12)
    data = random_world(12, 20)
    first, again, other = (begin(name, data, seed).scores(users) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.array_equal(first, other) == (name not in CHANCE)


@pytest.mark.parametrize("name", MODELS)
def test_it_does_not_learn_from_what_is_withheld(name: str) -> None:
    """Without any validation and test interactions the scores are the same."""
    data = random_world(12, 20)
    none = sparse.csr_matrix(data.shape, dtype=np.float32)
    blind = replace(data, valid=none, test=none)
    np.testing.assert_array_equal(begin(name, data).scores(np.arange(12)), begin(name, blind).scores(np.arange(12)))


@pytest.mark.parametrize("name", MODELS)
def test_users_and_items_without_interactions_get_finite_scores(name: str) -> None:
    """Nothing is divided by a degree of zero, in training or in scores."""
    data = random_world(12, 20)
    train = data.train.toarray()
    train[3], train[:, 5] = 0, 0
    scores = begin(name, replace(data, train=sparse.csr_matrix(train))).scores(np.arange(12))
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("name", MODELS)
def test_a_device_that_is_none_is_an_error(name: str) -> None:
    """Though a closed form would not use it."""
    with pytest.raises(BadInput, match="device 'tpu' found, expected cpu or cuda"):
        build_model(name, {}, checkerboard()).fit(TrainingOptions(device="tpu"))


def trained_on(device: str, name: str, seed: int) -> tuple[Model, list[EpochRecord]]:
    """After a few epochs there, with nothing dropped that a GPU would draw otherwise."""
    model = build_model(name, BRIEF | ({"dropout": 0} if name == "bm3" else {}), content_world())
    return model, model.fit(TrainingOptions(seed=seed, device=device))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
@pytest.mark.parametrize("name", GRADIENT)
def test_a_gpu_learns_the_same(name: str) -> None:
    """Up to the order of sums, from the same beginning in the same batches; afterwards nothing is left on the GPU."""
    here, ours = trained_on("cpu", name, 1)
    there, theirs = trained_on("cuda", name, 1)
    losses, expected = ([record.loss for record in records] for records in (theirs, ours))
    np.testing.assert_allclose(losses, expected, rtol=1e-3)
    np.testing.assert_allclose(there.scores(np.arange(80)), here.scores(np.arange(80)), rtol=1e-2, atol=1e-2)
    assert isinstance(there, GradientModel)
    assert {tensor.device.type for tensor in (*there.parameters(), *there.buffers())} == {"cpu"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
@pytest.mark.parametrize("name", GRADIENT)
def test_the_same_seed_gives_the_same_result_on_a_gpu(name: str) -> None:
    """To the bit, as on a CPU."""
    first, again, other = (trained_on("cuda", name, seed)[0].scores(np.arange(80)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_it_computes_with_no_more_threads_than_it_is_given() -> None:
    """BLAS, which would take all cores; afterwards others have what they had."""

    def threads() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    class Counting(Popularity):
        def _fit(self, options: TrainingOptions) -> list[EpochRecord]:
            found.extend(threads())
            return super()._fit(options)

    before, found = threads(), list[int]()
    Counting(Popularity.Config(), checkerboard()).fit(TrainingOptions(threads=1))
    assert set(found) == {1}
    assert threads() == before


@pytest.mark.parametrize("name", MODELS)
def test_it_says_that_it_has_learned_nothing(name: str) -> None:
    """Scores before fit are an error, not zeros."""
    with pytest.raises(TaskError, match=f"model {name} has learned nothing yet"):
        build_model(name, {}, checkerboard()).scores(np.array([0]))


@pytest.mark.parametrize("name", MODELS)
def test_an_unknown_hyper_parameter_is_an_error(name: str) -> None:
    """It names the key found and those known."""
    with pytest.raises(BadInput, match=rf"model {name}: unknown hyperparameter lr, expected some of"):
        build_model(name, {"lr": 0.1}, checkerboard())


@pytest.mark.parametrize("name", GRADIENT)
def test_an_impossible_hyper_parameter_is_an_error(name: str) -> None:
    """The sentence has the key and the value."""
    with pytest.raises(BadInput, match=r"batch_size: .* found 0"):
        build_model(name, {"batch_size": 0}, checkerboard())


@pytest.mark.parametrize("name", GRADIENT)
def test_a_diverging_model_is_an_error(name: str) -> None:
    """A loss that is not a number ends the training instead of being kept."""
    wild = QUICK | {"regularization": 1e300}  # beyond float32
    with pytest.raises(TaskError, match=f"loss of {name} was (nan|inf) in epoch"):
        build_model(name, wild, checkerboard()).fit(TrainingOptions())


def test_an_unknown_model_names_the_known_ones() -> None:
    """A typo is never another model."""
    with pytest.raises(BadInput, match=f"model 'eas' found, expected one of {', '.join(MODELS)}"):
        model_class("eas")


@pytest.mark.parametrize("name", MODELS)
def test_its_name_is_its_key(name: str) -> None:
    """The name in artefacts is the one it is looked up by."""
    assert model_class(name).name == name


def test_names_are_listed_without_torch() -> None:
    """`scan` and the DAG's form ask for the names only."""
    code = "import sys; from tasks.models import MODELS; assert MODELS; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def in_scarcity(name: str, permute: int | None) -> float:
    """NDCG@20 on test after two interactions a user: most items are cold, and only content can rank them."""
    more = {"grounding": 0.3} if name == "bm3" else {}  # which moves items by content, unlike the rest of its loss
    data = content_world(items=240, train=2, permute=permute)
    model = build_model(name, QUICK | more, data)
    model.fit(TrainingOptions())
    return evaluate(model.scores, data, "test").means()["ndcg@20"]


@pytest.mark.slow
@pytest.mark.parametrize("name", GRADIENT_CONTENT)
def test_permuted_content_makes_it_worse(name: str) -> None:
    """Where content decides, rows that belong to other items cost a third of NDCG@20 on test."""
    assert in_scarcity(name, permute=5) < 2 / 3 * in_scarcity(name, permute=None)


@pytest.mark.parametrize("name", CONTENT)
def test_it_tells_items_apart_that_nobody_interacted_with(name: str) -> None:
    """By their content: each such item has scores of its own, and other content gives it others."""
    data = random_world(30, 24)
    new = np.array([3, 8, 15, 20])
    train = data.train.tolil()
    train[:, new] = 0
    data = replace(data, train=train.tocsr(), sequences=None)
    other = replace(data, features={key: rows.copy() for key, rows in data.features.items()})
    for rows in other.features.values():
        rows[new] = rows[np.roll(new, 1)]
    model = begin(name, data)
    scores = model.scores(np.arange(30))[:, new]
    moved = build_model(name, BRIEF, other).load_state(model.state()) if name in GRADIENT else begin(name, other)
    apart = [not np.allclose(scores[:, a], scores[:, b], rtol=1e-4, atol=1e-7) for a, b in combinations(range(4), 2)]
    assert all(apart)
    changed = np.abs(moved.scores(np.arange(30))[:, new] - scores).max(axis=0) > 1e-5 * np.abs(scores).max()
    assert changed.all() == (name not in BLIND)
