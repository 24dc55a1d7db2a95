"""Item-kNN: item-based nearest neighbours from co-occurrence (Deshpande, Karypis 2004).

Deshpande, Karypis, Item-Based Top-N Recommendation Algorithms, TOIS 2004: cosine of two columns of X, the k nearest
items of each kept (section 4.1). The shrunk cosine is of Bell, Koren, Lessons from the Netflix Prize Challenge, 2007:
c_ij / (sqrt(c_ii c_jj) + shrink) with c = X'X.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat, PositiveInt

from tasks.models.families.linear import ItemWeights
from tasks.models.serving import SparseItemItem
from tasks.models.solvers.item_neighbours import neighbours, sparse_columns
from tasks.training import ModelConfig, Real, TrainingOptions, Whole


class ItemKNN(ItemWeights):
    """score_ui = sum of the similarities of i to the items of u, over the pairs that are kept; never (items, items)."""

    name = "itemknn"

    class Config(ModelConfig):
        """The number of neighbours, and the shrinkage for pairs with few common users."""

        neighbours: Annotated[PositiveInt, Whole(10, 1000, log=True)] = Field(100, description="kept for each item")
        shrink: Annotated[NonNegativeFloat, Real(0, 100)] = Field(
            10.0, description="added to the norm: few common users count less"
        )

    config: Config

    def _solve(self, options: TrainingOptions) -> None:
        """Similarities by blocks of items."""
        self._take(*neighbours(self.data.train, self._kept(), self.config.shrink))

    def _kept(self) -> int:
        return min(self.config.neighbours, self.data.train.shape[1])

    def _take(self, nearest: np.ndarray, similarity: np.ndarray) -> None:
        self._nearest, self._similarity = nearest, similarity
        self._part = SparseItemItem(sparse_columns(nearest, similarity))

    def state(self) -> dict[str, torch.Tensor]:
        """Return `nearest` (items, k) int64 and their `similarity` (items, k) float32; 0 for missing neighbours."""
        return {"nearest": torch.from_numpy(self._nearest), "similarity": torch.from_numpy(self._similarity)}

    def _set_state(self, state: Mapping[str, torch.Tensor]) -> None:
        shape = (self.data.train.shape[1], self._kept())
        self._check_state(state, {"nearest": shape, "similarity": shape})
        self._take(state["nearest"].numpy(), state["similarity"].numpy())
