"""EASE: a linear item-item model in closed form.

Steck, Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019. With X the (users, items) interactions,
P = (X'X + lambda I)^-1 and B_ij = -P_ij / P_jj off the diagonal, 0 on it (equation 8); scores = X B.
"""

from __future__ import annotations

import time
from typing import ClassVar

from pydantic import Field, PositiveFloat

from tasks.models.parts.closed_form import gram, require_memory, weights_in_place
from tasks.models.parts.item_weights import ItemWeights
from tasks.training import EpochRecord, ModelConfig, Real, Space, TrainingOptions


class EASE(ItemWeights):
    """Closed form in float32 and in place: the peak is one (items, items) matrix and a few blocks of it."""

    name = "ease"
    SEARCH: ClassVar[Space] = {"relative_l2": Real(0.1, 30, log=True)}

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
