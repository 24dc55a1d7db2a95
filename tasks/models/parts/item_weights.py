"""A linear item-item model: what a user took speaks for every item by a weight, score = X B."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from tasks.models.base import Model
from tasks.models.serving import ItemItem, Serving


class ItemWeights(Model):
    """All but `fit`, which sets `_weights`: B, (items, items) float32."""

    _weights: np.ndarray

    def _scores(self, users: np.ndarray) -> np.ndarray:
        found: np.ndarray = self.data.train[users] @ self._weights
        return np.asarray(found, dtype=np.float32)

    def item_vectors(self) -> np.ndarray:
        """(items, items): row j is column j of B, the weights that speak for item j; like items have like speakers."""
        return self._weights.T

    def serving(self) -> Serving:
        """B as it is."""
        return Serving((ItemItem(self._weights),))

    def state(self) -> dict[str, torch.Tensor]:
        """`weights` (items, items), B."""
        return {"weights": torch.from_numpy(np.ascontiguousarray(self._weights))}

    def _set_state(self, state: Mapping[str, torch.Tensor]) -> None:
        items = self.data.train.shape[1]
        self._checked(state, {"weights": (items, items)})
        self._weights = state["weights"].numpy()
