"""EASE where a dense matrix of items does not fit: the dual form, which is exact, and the pruned one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tasks.errors import Corrupt
from tasks.models import build_model, ease
from tasks.models.base import Model
from tasks.models.solvers import ease_dual as dual
from tasks.models.solvers import ease_sparse as pruned
from tasks.models.solvers.item_neighbours import neighbours
from tasks.releases.server import ReleaseServer
from tasks.store import FolderStore
from tasks.training import TrainingOptions
from tests.released import by_item, released
from tests.world import dataset, histories, random_world

USERS, ITEMS = 20, 60
DENSE_ONLY, NO_DENSE = TrainingOptions(), TrainingOptions(memory_gib=3e-5)  # users x users fits in both
FORMS = {"dense": ({}, DENSE_ONLY), "dual": ({}, NO_DENSE), "pruned": ({"neighbours": ITEMS - 1}, DENSE_ONLY)}
TENSORS = {
    "dense": {"weights"},
    "dual": {"inverse", "diagonal", "starts", "indices", "l2"},
    "pruned": {"values", "indices", "starts"},
}


def fitted(form: str) -> Model:
    """EASE in one of its forms, with all weights."""
    config, options = FORMS[form]
    model = build_model("ease", {"relative_l2": 2.0, **config}, random_world(USERS, ITEMS))
    model.fit(options)
    assert set(model.state()) == TENSORS[form]
    return model


def exact() -> np.ndarray:
    """B (items, items) by the lines of the paper, in float64."""
    x = random_world(USERS, ITEMS).train.toarray().astype(np.float64)
    inverse = np.linalg.inv(x.T @ x + 2.0 * (x.sum() / ITEMS) * np.eye(ITEMS))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights


@pytest.mark.parametrize("block", [1, 7, 4096])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_scores_the_same(form: str, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Known users and new ones, however large the blocks; pruned with all other items as neighbours."""
    monkeypatch.setattr(dual, "BLOCK", block)
    monkeypatch.setattr(pruned, "UNION", block)
    model = fitted(form)
    known = model.data.train.toarray() @ exact()
    np.testing.assert_allclose(model.scores(np.arange(USERS)), known, rtol=1e-4, atol=1e-5)
    new = random_world(5, ITEMS, seed=8).train
    np.testing.assert_allclose(model.serving().new(histories(new)), new.toarray() @ exact(), rtol=1e-4, atol=1e-5)


def test_pruned_weights_are_those_of_a_regression_on_the_neighbours() -> None:
    """Each item by itself on its five nearest, and nothing from any other."""
    x = random_world(USERS, ITEMS).train
    found = pruned.solve_pruned(x, 5, 7.0).toarray()
    dense = x.toarray().astype(np.float64)
    for item, chosen in enumerate(neighbours(x, 5, 0.0)[0]):
        near = dense[:, chosen]
        own = np.linalg.solve(near.T @ near + 7.0 * np.eye(5), near.T @ dense[:, item])
        np.testing.assert_allclose(found[chosen, item], own, rtol=1e-4, atol=1e-6)
        assert not np.delete(found[:, item], chosen).any()


@pytest.mark.parametrize(
    ("users", "small", "memory_gib", "said"),
    [
        (20, 60, 8.0, "dense: weights between all 60 items"),
        (60, 59, 8.0, "dense"),
        (59, 59, 8.0, "dual: the scores of weights between all 60 items, from 59 users"),
        (20, 60, 3e-5, "dual"),
        (60, 60, 6e-5, "pruned: weights of the 3 nearest of 60 items"),
    ],
)
def test_the_form_is_chosen_by_size_and_named_in_the_log(
    users: int, small: int, memory_gib: float, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Dense where it is small or users are no fewer; then dual; pruned where neither fits."""
    caplog.set_level("INFO")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ease, "SMALL", small)
        patch.setattr(ease, "NEIGHBOURS", 3)
        build_model("ease", {}, random_world(users, ITEMS)).fit(TrainingOptions(memory_gib=memory_gib))
    assert caplog.messages[0].startswith(f"ease is {said}")


def test_more_neighbours_than_items_are_all_of_them() -> None:
    """And a cold item has no weight."""
    data = random_world(6, 9, density=0.1)
    model = build_model("ease", {"neighbours": 500}, data)
    model.fit(TrainingOptions())
    assert model.state()["values"].numel() == 9 * 8
    unseen = np.flatnonzero(data.train.sum(axis=0) == 0)
    assert len(unseen)
    assert not model.scores(np.arange(6))[:, unseen].any()


@pytest.mark.parametrize("kept", [None, 5])
def test_a_catalogue_of_one_item_has_no_neighbours_to_keep(kept: int | None) -> None:
    """Nothing speaks for it, in any form."""
    one = np.ones((3, 1), dtype=bool)
    model = build_model("ease", {"neighbours": kept}, dataset("one", one, ~one, ~one))
    model.fit(TrainingOptions())
    assert not model.scores(np.arange(3)).any()


def test_the_pruned_form_keeps_no_table_of_all_pairs() -> None:
    """It grows with the items, not with their square."""
    model = build_model("ease", {"neighbours": 5}, random_world(30, 3000, density=0.01))
    model.fit(TrainingOptions())
    assert sum(tensor.numel() for tensor in model.state().values()) < 3 * 3000 * 5


@pytest.mark.parametrize("form", FORMS)
def test_every_form_answers_from_its_state_and_from_a_release(form: str, tmp_path: Path) -> None:
    """The whole catalogue for a known user, and for somebody with that user's history."""
    model = fitted(form)
    loaded = build_model("ease", model.config.model_dump(), model.data).load_state(model.state())
    np.testing.assert_array_equal(loaded.scores(np.arange(USERS)), model.scores(np.arange(USERS)))
    served = ReleaseServer(released(FolderStore(tmp_path), model, model.data))
    history = [f"item {item}" for item in model.data.train[[3]].indices]
    for found in (
        served.recommend("user 3", ITEMS, include_seen=True),
        served.recommend_new(history, ITEMS, include_seen=True),
    ):
        mine = [by_item(found)[f"item {item}"] for item in range(ITEMS)]
        np.testing.assert_allclose(mine, model.scores(np.array([3]))[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [(USERS, ITEMS - 1), (USERS - 1, ITEMS)])
def test_a_state_for_other_users_or_items_is_refused(form: str, shape: tuple[int, int]) -> None:
    """Also one whose indices lead outside; only the dual form knows users."""
    state = fitted(form).state()
    other = build_model("ease", {}, random_world(*shape))
    if form == "dual" or shape[1] != ITEMS:
        with pytest.raises(Corrupt, match="state of model ease holds"):
            other.load_state(state)
    if "indices" in state:
        wrong = state | {"indices": torch.full_like(state["indices"], ITEMS)}
        with pytest.raises(Corrupt, match="state of model ease holds"):
            build_model("ease", {}, random_world(USERS, ITEMS)).load_state(wrong)
