"""A model of two tables of vectors that least squares have made."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Protocol, cast

import numpy as np
import torch

from tasks.models.base import Model
from tasks.models.parts.fold_in import FoldIn
from tasks.models.serving import Factors, Serving


class HasFactors(Protocol):
    """Hyper-parameters with the width of the vectors."""

    @property
    def factors(self) -> int: ...


class Factorised(Model):
    """Score x_u . y_i; subclasses fill `_users` (U, factors) and `_items` (I, factors) in `_fit`, float32."""

    _users: np.ndarray
    _items: np.ndarray

    @abstractmethod
    def fold_in(self) -> FoldIn:
        """How a new user is solved for: as the known ones were."""

    def _scores(self, users: np.ndarray) -> np.ndarray:
        return np.asarray(self._users[users] @ self._items.T, dtype=np.float32)

    def item_vectors(self) -> np.ndarray:
        """(items, factors)."""
        return self._items

    def serving(self) -> Serving:
        """The vectors of both sides."""
        bias = np.zeros(len(self._items), dtype=np.float32)
        return Serving((Factors(self._users, self._items, bias, self.fold_in()),))

    def state(self) -> dict[str, torch.Tensor]:
        """`users` (users, factors) and `items` (items, factors)."""
        return {"users": torch.from_numpy(self._users), "items": torch.from_numpy(self._items)}

    def _set_state(self, state: Mapping[str, torch.Tensor]) -> None:
        users, items = self.data.train.shape
        size = cast(HasFactors, self.config).factors
        self._checked(state, {"users": (users, size), "items": (items, size)})
        self._users, self._items = state["users"].numpy(), state["items"].numpy()
