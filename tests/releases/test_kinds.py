"""A kind of serving that no model has: by one class and one line of KINDS, releases answer by it, in order of time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
import torch
from scipy import sparse

from tasks.data import Dataset, Sequences, dataset_of
from tasks.errors import BadInput
from tasks.models.base import Model
from tasks.models.serving import KINDS, Ensemble, ItemItem, Serving
from tasks.releases.server import ReleaseServer
from tasks.store import Artefact, FolderStore
from tasks.training import EpochRecord, ModelConfig, TrainingOptions
from tests.data.logs import dense, log_of
from tests.released import by_item, released

USERS, ITEMS = 12, 9


@dataclass(frozen=True)
class LastItem(Serving):
    """Scores are the row of `follows` (items, items) of the last item of a user: `last` (U,) for those of training."""

    kind = "last-item"
    follows: np.ndarray
    last: np.ndarray

    def known(self, users: np.ndarray, interactions: sparse.csr_matrix) -> np.ndarray:
        return np.asarray(self.follows[self.last[users]])

    def new(self, histories: Sequences) -> np.ndarray:
        return np.asarray(self.follows[histories.items[histories.starts[1:] - 1]])

    def tensors(self) -> dict[str, torch.Tensor]:
        return {"follows": torch.from_numpy(self.follows), "last": torch.from_numpy(self.last)}

    @classmethod
    def read(cls, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any], users: int, items: int) -> Self:
        return cls(arrays["follows"], arrays["last"])


class Markov(Model):
    """How often an item came right after another; with `mixed`, in an ensemble with all items of the same users."""

    name = "markov"

    class Config(ModelConfig):
        mixed: bool = False

    config: Config

    def _fit(self, options: TrainingOptions) -> list[EpochRecord]:
        sequences = self.data.sequences
        assert sequences is not None
        follows = np.zeros((ITEMS, ITEMS), dtype=np.float32)
        for start, end in zip(sequences.starts[:-1], sequences.starts[1:], strict=True):
            np.add.at(follows, (sequences.items[start : end - 1], sequences.items[start + 1 : end]), 1)
        self._part = LastItem(follows, sequences.items[sequences.starts[1:] - 1])
        self.fitted = True
        return []

    def _scores(self, users: np.ndarray) -> np.ndarray:
        return self.serving().known(users, self.data.train)

    def serving(self) -> Serving:
        together = (self.data.train.T @ self.data.train).toarray()
        return Ensemble((self._part, ItemItem(together)), (1.0, 0.5)) if self.config.mixed else self._part

    def state(self) -> dict[str, torch.Tensor]:
        return self._part.tensors()

    def _set_state(self, state: Mapping[str, torch.Tensor]) -> None:
        raise NotImplementedError


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Every user has a history with an order that is not the one of the items' numbers."""
    pairs = dense(USERS, ITEMS, seed=4)
    times = np.random.default_rng(5).permutation(len(pairs)).tolist()
    return dataset_of("songs", log_of(pairs, times=times, labels=[0] * len(pairs)), {})


@pytest.fixture(params=[False, True], ids=["alone", "in an ensemble"])
def model(request: pytest.FixtureRequest, data: Dataset, monkeypatch: pytest.MonkeyPatch) -> Model:
    """Fitted, its kind known by a line of the registry."""
    monkeypatch.setitem(KINDS, "last-item", f"{__name__}:LastItem")
    model = Markov(Markov.Config(mixed=request.param), data)
    model.fit(TrainingOptions())
    return model


@pytest.fixture
def release(model: Model, tmp_path: Path) -> Artefact:
    """Written as any release is."""
    return released(FolderStore(tmp_path), model, model.data)


def scores_of(served: ReleaseServer, *history: str) -> dict[str, float]:
    """Of the whole catalogue, the items of the history included."""
    return by_item(served.recommend_new(history, ITEMS, include_seen=True))


def test_known_users_are_scored_as_by_the_model(model: Model, release: Artefact) -> None:
    """By their last interaction in training."""
    served = ReleaseServer(release)
    for row, user in enumerate(model.data.user_ids):
        found = by_item(served.recommend(str(user), ITEMS, include_seen=True))
        mine = [found[str(item)] for item in model.data.item_ids]
        np.testing.assert_allclose(mine, model.scores(np.array([row]))[0], rtol=1e-5, atol=1e-6)


def test_the_order_of_a_new_history_reaches_the_model(model: Model, release: Artefact) -> None:
    """The last item decides, and neither the highest nor the lowest number; the rest only in an ensemble."""
    served = ReleaseServer(release)
    starts = np.array([0, 3], dtype=np.int64)
    for history in (["10", "40", "20"], ["20", "10", "40"], ["40", "20", "10"]):
        columns = np.array([int(item) // 10 for item in history], dtype=np.int64)
        expected = model.serving().new(Sequences(starts.copy(), columns))[0]
        found = scores_of(served, *history)
        np.testing.assert_array_equal([found[str(item)] for item in model.data.item_ids], expected)
    assert scores_of(served, "10", "40", "20") != scores_of(served, "20", "10", "40")


def test_of_an_item_named_twice_the_last_time_counts(release: Artefact) -> None:
    """Its place is that of its last interaction."""
    served = ReleaseServer(release)
    assert scores_of(served, "20", "10", "20") == scores_of(served, "10", "20")
    assert scores_of(served, "20", "10", "10", "20", "40", "10") == scores_of(served, "20", "40", "10")
    assert scores_of(served, "20", "10", "20") != scores_of(served, "20", "10")
    assert {"10", "20"}.isdisjoint(by_item(served.recommend_new(["20", "10", "20"], ITEMS)))


def test_a_release_whose_kind_is_not_known_says_so(release: Artefact, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its line the release does not answer by another kind, but says what it is."""
    monkeypatch.delitem(KINDS, "last-item")
    with pytest.raises(BadInput, match=r"kind 'last-item' found, expected one of item-item, .* publish again"):
        ReleaseServer(release)
