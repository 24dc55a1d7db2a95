"""Item-kNN against a few dense lines."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.models import build_model
from tasks.models.solvers.item_neighbours import neighbours
from tasks.training import TrainingOptions
from tests.world import random_world


@pytest.mark.parametrize("cells", [1, 2**24])
@pytest.mark.parametrize(("k", "shrink"), [(3, 0.0), (3, 2.5), (100, 1.0)])
def test_it_equals_the_formula(k: int, shrink: float, cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shrunk cosines, the k largest of each item kept, summed over the items of the user; however large the blocks."""
    monkeypatch.setattr("tasks.models.solvers.item_neighbours.CELLS", cells)
    data = random_world(40, 23)
    model = build_model("itemknn", {"neighbours": k, "shrink": shrink}, data)
    model.fit(TrainingOptions())
    x = data.train.toarray().astype(np.float64)
    common, norms = x.T @ x, np.sqrt(x.sum(axis=0))
    cosines = common / np.maximum(np.outer(norms, norms) + shrink, 1e-12)
    np.fill_diagonal(cosines, 0.0)
    kept = min(k, 23)
    nearest, similarity = (model.state()[name].numpy() for name in ("nearest", "similarity"))
    np.testing.assert_allclose(similarity, -np.sort(-cosines, axis=1)[:, :kept], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(similarity, np.take_along_axis(cosines, nearest, axis=1), rtol=1e-5, atol=1e-7)
    speaks = np.zeros((23, 23))
    np.put_along_axis(speaks, nearest, similarity, axis=1)
    np.testing.assert_allclose(model.scores(np.arange(40)), x @ speaks.T, rtol=1e-5, atol=1e-6)


def test_an_item_nobody_shares_speaks_for_none() -> None:
    """Its places are there, with weight 0."""
    data = random_world(6, 9, density=0.0)
    model = build_model("itemknn", {"neighbours": 4}, data)
    model.fit(TrainingOptions())
    assert not model.scores(np.arange(6)).any()
    assert model.state()["similarity"].shape == (9, 4)


def test_no_table_of_all_pairs_is_kept() -> None:
    """It grows with the items, not with their square."""
    data = random_world(30, 3000, density=0.01)
    model = build_model("itemknn", {"neighbours": 5}, data)
    model.fit(TrainingOptions())
    assert sum(tensor.numel() for tensor in model.state().values()) == 2 * 3000 * 5


@pytest.mark.parametrize("k", [4, 8, 9])
def test_no_neighbour_comes_twice_and_itself_only_when_all_are_asked_for(k: int) -> None:
    """Where few items share a user, others fill the places."""
    nearest, _ = neighbours(random_world(6, 9, density=0.1).train, k, 0.0)
    assert all(len(set(row)) == k for row in nearest.tolist())
    assert (nearest == np.arange(9)[:, None]).any() == (k == 9)
