"""EASE: linear item-item model in closed form (Steck 2019).

Steck, Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019. With X the (users, items) interactions,
P = (X'X + lambda I)^-1 and B_ij = -P_ij / P_jj off the diagonal, 0 on it (equation 8); scores = X B.
"""

from __future__ import annotations

import logging
from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt

from tasks.models.families.linear import ItemWeights
from tasks.models.serving import ItemItem, Serving, SparseItemItem
from tasks.models.solvers.closed_form import gram, peak_bytes, require_memory, weights_in_place
from tasks.models.solvers.ease_dual import dual
from tasks.models.solvers.ease_sparse import estimate_pruned_bytes, solve_pruned
from tasks.training import ModelConfig, Real, TrainingOptions

log = logging.getLogger(__name__)
SMALL = 10_000  # items whose dense weights are solved in half a minute: kept dense even if there are fewer users
NEIGHBOURS = 200  # of an item if more do not fit


class EASE(ItemWeights):
    """EASE in one of three forms, chosen by size; the log says which.

    Dense: all weights, from the Gram matrix of the items, in place. Dual (`ease_dual.py`): the same scores from that
    of the users, where these are fewer and the items more than SMALL, or dense does not fit in memory; no item vectors.
    Pruned (`ease_sparse.py`): the weights of `neighbours`, where neither fits, or where asked for.
    """

    name = "ease"

    class Config(ModelConfig):
        """L2, relative to the data so that one default suits sparse and dense logs; and the number of neighbours."""

        relative_l2: Annotated[PositiveFloat, Real(0.1, 30, log=True)] = Field(
            3.25, description="lambda over the mean of the diagonal of X'X"
        )
        neighbours: PositiveInt | None = Field(
            default=None,
            description=f"nearest items with weights for an item; none: all, or {NEIGHBOURS} if there are too many",
        )

    config: Config

    def _solve(self, options: TrainingOptions) -> None:
        """Solve; BadInput when not even the pruned form fits in `options.memory_gib`."""
        self._part = self._solve_form(options.memory_gib)

    def _solve_form(self, memory_gib: float) -> Serving:
        train = self.data.train
        users, items = train.shape
        l2 = self.config.relative_l2 * train.nnz / items  # the diagonal of X'X holds each item's interactions
        room, kept = memory_gib * 2**30, self.config.neighbours
        if items == 1 or (kept is None and peak_bytes(items) <= room and items <= max(SMALL, users)):
            log.info("%s is dense: weights between all %d items", self.name, items)
            return ItemItem(weights_in_place(gram(train), l2))
        if kept is None and users < items and peak_bytes(users) <= room:
            log.info("%s is dual: the scores of weights between all %d items, from %d users", self.name, items, users)
            return dual(train, l2)
        kept = min(kept or NEIGHBOURS, items - 1)
        require_memory(self.name, items, estimate_pruned_bytes(items, kept), memory_gib)
        log.info("%s is pruned: weights of the %d nearest of %d items", self.name, kept, items)
        return SparseItemItem(solve_pruned(train, kept, l2))
