"""EASE: a linear item-item model in closed form.

Steck, Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019. With X the (users, items) interactions,
P = (X'X + lambda I)^-1 and B_ij = -P_ij / P_jj off the diagonal, 0 on it (equation 8); scores = X B.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
import torch
from pydantic import Field, PositiveFloat

from tasks.models.base import Model
from tasks.models.parts.closed_form import gram, require_memory, weights_in_place
from tasks.training import EpochRecord, ModelConfig, TrainingOptions


class EASE(Model):
    """Closed form in float32 and in place: the peak is one (items, items) matrix and a few blocks of it."""

    name = "ease"

    class Config(ModelConfig):
        """One number, stated relative to the data so that one default suits sparse and dense logs alike."""

        relative_l2: PositiveFloat = Field(default=3.25, description="lambda over the mean of the diagonal of X'X")

    config: Config

    def fit(self, options: TrainingOptions) -> list[EpochRecord]:
        """Invert; BadInput when the matrix would pass `options.memory_gib`."""
        start = time.perf_counter()
        items = self.data.train.shape[1]
        require_memory(self.name, items, options.memory_gib)
        l2 = self.config.relative_l2 * self.data.train.nnz / items  # the diagonal of X'X holds each item's interactions
        self._weights = weights_in_place(gram(self.data.train), l2)
        self.fitted = True
        return [EpochRecord(epoch=1, loss=None, valid=None, seconds=time.perf_counter() - start)]

    def _scores(self, users: np.ndarray) -> np.ndarray:
        found: np.ndarray = self.data.train[users] @ self._weights
        return np.asarray(found, dtype=np.float32)

    def item_vectors(self) -> np.ndarray:
        """(items, items): row j is column j of B, the weights that speak for item j; like items have like speakers."""
        return self._weights.T

    def state(self) -> dict[str, torch.Tensor]:
        """`weights` (items, items), B of the paper."""
        return {"weights": torch.from_numpy(np.ascontiguousarray(self._weights))}

    def _set_state(self, state: Mapping[str, torch.Tensor]) -> None:
        items = self.data.train.shape[1]
        self._checked(state, {"weights": (items, items)})
        self._weights = state["weights"].numpy()
