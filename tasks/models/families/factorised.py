"""Models of user and item vectors computed by least squares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt

from tasks.models.base import Model
from tasks.models.serving import Factors, Serving
from tasks.models.solvers.fold_in import FoldIn
from tasks.training import Choice, ModelConfig, Real


class FactorisedConfig(ModelConfig):
    """Width, the weight of interactions, L2, and the number of iterations."""

    factors: Annotated[PositiveInt, Choice((32, 64, 128, 256))] = Field(128, description="size of the vectors")
    alpha: Annotated[PositiveFloat, Real(1, 100, log=True)] = Field(10.0, description="c of an interaction, else 1")
    relative_l2: Annotated[PositiveFloat, Real(0.01, 1, log=True)] = Field(
        0.1, description="mean lambda over alpha times the mean history"
    )
    iterations: PositiveInt = Field(default=15, description="turns")


class Factorised(Model):
    """Score x_u . y_i; subclasses set `_users` (U, factors) and `_items` (I, factors) in `_solve`, float32.

    Lambda is relative to alpha times the mean history length, with which it must grow.
    """

    config: FactorisedConfig
    _users: np.ndarray
    _items: np.ndarray

    def fold_in(self) -> FoldIn:
        """Return the fold-in of new users: the same equation as for known users, with the final item vectors."""
        return FoldIn(self.config.alpha, self.mean_l2())

    def mean_l2(self) -> float:
        """Return lambda, or its mean if each row has its own."""
        return self.config.relative_l2 * self.config.alpha * self.data.train.nnz / self.data.train.shape[0]

    def _scores(self, users: np.ndarray) -> np.ndarray:
        return np.asarray(self._users[users] @ self._items.T, dtype=np.float32)

    def item_vectors(self) -> np.ndarray:
        """(items, factors)."""
        return self._items

    def serving(self) -> Serving:
        """Return the vectors of users and items."""
        bias = np.zeros(len(self._items), dtype=np.float32)
        return Factors(self._users, self._items, bias, self.fold_in())

    def state(self) -> dict[str, torch.Tensor]:
        """Return `users` (users, factors) and `items` (items, factors)."""
        return {"users": torch.from_numpy(self._users), "items": torch.from_numpy(self._items)}

    def _set_state(self, state: Mapping[str, torch.Tensor]) -> None:
        users, items = self.data.train.shape
        size = self.config.factors
        self._check_state(state, {"users": (users, size), "items": (items, size)})
        self._users, self._items = state["users"].numpy(), state["items"].numpy()
