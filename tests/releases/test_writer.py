"""What a release answers, against the same thing computed one pair at a time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from scipy import sparse

from tasks.data import Dataset, blocks
from tasks.data.outside import Outside
from tasks.errors import TaskError
from tasks.models import MODELS, build_model
from tasks.models.base import Model
from tasks.models.serving import Serving
from tasks.releases.catalogue import OFF, Catalogue
from tasks.releases.writer import name_similarity, recommendations, similar_items
from tasks.training import TrainingOptions
from tests.registry import GRADIENT

USERS, ITEMS, TOP = 9, 14, 4


@pytest.fixture
def data() -> Dataset:
    """Users whose items lie in all three splits; the last user has interacted with all items but two."""
    rng = np.random.default_rng(3)
    interactions = rng.random((USERS, ITEMS)) < 0.4
    interactions[-1] = True
    interactions[-1, [5, 8]] = False
    label = rng.choice(3, size=interactions.shape, p=[0.6, 0.2, 0.2])
    label[:, 0] = 0
    interactions[:, 0] = True
    splits = [sparse.csr_matrix((interactions & (label == n)).astype(np.float32)) for n in range(3)]
    users, items = np.array([f"u{n}" for n in range(USERS)]), np.array([f"i{n}" for n in range(ITEMS)])
    features = {"text": rng.normal(size=(ITEMS, 3)).astype(np.float32)}
    return Dataset("world", *splits, user_ids=users, item_ids=items, features=features)


def fitted(name: str, data: Dataset) -> Model:
    """A model that has learned a little."""
    options = {"max_epochs": 3} if name in GRADIENT else {}
    model = build_model(name, options, data)
    model.fit(TrainingOptions(seed=1))
    return model


def known_only(data: Dataset) -> Catalogue:
    """A catalogue without arrivals."""
    return Catalogue(data.shape[1], None, OFF)


def frame(tables: object) -> pd.DataFrame:
    """All tables as one."""
    return pa.concat_tables(list(tables)).to_pandas()  # type: ignore[call-overload]


def naive(name: str, others: list[tuple[float, int]], ids: np.ndarray) -> list[tuple[str, int, str, float]]:
    """(name, rank, id, score) of the best; of equal ones the lower number first."""
    ordered = sorted(others, key=lambda pair: (-pair[0], pair[1]))[:TOP]
    return [(name, rank, str(ids[column]), score) for rank, (score, column) in enumerate(ordered, start=1)]


def assert_same(found: pd.DataFrame, expected: list[tuple[str, int, str, float]]) -> None:
    """Names and ranks exactly, scores nearly."""
    rows = list(found.itertuples(index=False, name=None))
    assert [row[:3] for row in rows] == [row[:3] for row in expected]
    np.testing.assert_allclose([row[3] for row in rows], [row[3] for row in expected], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("cells", [blocks.CELLS, 3 * ITEMS])
def test_recommendations_are_the_best_that_a_user_has_not_taken(
    name: str, cells: int, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In no split; in the user's own ids; in one batch or in several; fewer where fewer are left."""
    monkeypatch.setattr(blocks, "CELLS", cells)
    model = fitted(name, data)
    scores = model.scores(np.arange(USERS))
    interactions = (data.train + data.valid + data.test).toarray() > 0
    expected = []
    for user in range(USERS):
        others = [(float(scores[user, item]), item) for item in range(ITEMS) if not interactions[user, item]]
        expected += naive(f"u{user}", others, data.item_ids)
    found = frame(recommendations(model, data, Outside.nothing(data), known_only(data), TOP))
    assert found.columns.tolist() == ["user_id", "rank", "item_id", "score", "arrival"]
    assert not found.pop("arrival").any()
    assert_same(found, expected)
    assert sorted(found.loc[found["user_id"] == "u8", "item_id"]) == ["i5", "i8"]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("cells", [blocks.CELLS, 3 * ITEMS])
def test_similar_items_have_the_highest_cosine(
    name: str, cells: int, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the model's item vectors, or of their users in training for a model that has none; never the item itself."""
    monkeypatch.setattr(blocks, "CELLS", cells)
    model = fitted(name, data)
    vectors = model.item_vectors()
    assert name_similarity(model) == ("training interactions" if vectors is None else "item vectors")
    matrix = (data.train.T.toarray() if vectors is None else vectors).astype(np.float64)
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    cosines = np.round(unit @ unit.T, 5)
    found = frame(similar_items(model, data, Outside.nothing(data), known_only(data), TOP))
    assert found.columns.tolist() == ["item_id", "rank", "similar_id", "score"]
    assert (found["item_id"] != found["similar_id"]).all()
    number = {item: n for n, item in enumerate(data.item_ids)}
    pairs = [(number[a], number[b]) for a, b in zip(found["item_id"], found["similar_id"], strict=True)]
    np.testing.assert_allclose(found["score"], [cosines[pair] for pair in pairs], atol=2e-5)
    for item in range(ITEMS):
        best = sorted(np.delete(cosines[item], item), reverse=True)[:TOP]
        mine = found[found["item_id"] == f"i{item}"]
        assert mine["rank"].tolist() == [1, 2, 3, 4]
        np.testing.assert_allclose(mine["score"], best, atol=2e-5)


class Given(Model):
    """A model with the item vectors of a test."""

    name = "given"
    vectors: np.ndarray

    def __init__(self, vectors: np.ndarray, data: Dataset) -> None:
        self.vectors, self.data = vectors, data

    def item_vectors(self) -> np.ndarray:
        return self.vectors

    def _fit(self, options: TrainingOptions) -> list[object]:  # type: ignore[override]
        raise NotImplementedError

    def _scores(self, users: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def state(self) -> dict[str, torch.Tensor]:
        raise NotImplementedError

    def serving(self) -> Serving:
        raise NotImplementedError

    def _set_state(self, state: object) -> None:
        raise NotImplementedError


def test_an_item_without_direction_is_similar_to_nothing(data: Dataset) -> None:
    """A zero vector has no cosine: it is left out, rather than given one."""
    vectors = np.random.default_rng(0).normal(size=(ITEMS, 5)).astype(np.float32)
    vectors[3] = 0
    found = frame(similar_items(Given(vectors, data), data, Outside.nothing(data), known_only(data), ITEMS))
    assert "i3" not in set(found["item_id"]) | set(found["similar_id"])
    assert len(found) == (ITEMS - 1) * (ITEMS - 2)


def test_vectors_that_are_not_finite_are_a_fault(data: Dataset) -> None:
    """No list is made of NaN."""
    vectors = np.ones((ITEMS, 5), dtype=np.float32)
    vectors[3, 1] = np.nan
    with pytest.raises(TaskError, match="not finite"):
        list(similar_items(Given(vectors, data), data, Outside.nothing(data), known_only(data)))
