"""Batches of (user, positive, negative): every training interaction once an epoch, each with a sampled negative."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from tasks.errors import BadInput
from tasks.training.batches.negatives import NegativeSampler

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Batch:
    """Row k: user `users[k]` interacted with item `positives[k]` and not with `negatives[k]`. All (n,) int64."""

    users: Tensor
    positives: Tensor
    negatives: Tensor

    def __len__(self) -> int:
        return len(self.users)


class Triplets:
    """Draws batches of `size` triplets from (users, items) `interactions`; the last batch of an epoch may be shorter.

    Users who have interacted with every item are left out: there is no negative for them. BadInput when all have.
    """

    def __init__(self, interactions: sparse.csr_matrix, size: int) -> None:
        self._sampler = NegativeSampler(interactions)
        self._size = size
        users = np.repeat(np.arange(interactions.shape[0]), np.diff(interactions.indptr))
        items = interactions.indices.astype(np.int64)
        usable = self._sampler.free[users] > 0
        if not usable.any():
            raise BadInput("every user has interacted with every item, expected users with an item left as a negative")
        if not usable.all():
            full = (self._sampler.free <= 0).sum()
            log.info("%d users have interacted with every item and are left out of the gradient steps", full)
            users, items = users[usable], items[usable]
        self._users, self._items = users, items

    def draw(self, rng: np.random.Generator, device: torch.device) -> Iterator[Batch]:
        """One epoch, in random order; columns are moved to `device` once an epoch, not once a step."""
        order = rng.permutation(len(self._users))
        columns = (self._users[order], self._items[order], self._sampler.sample(self._users, rng)[order])
        on_device = [torch.from_numpy(column).to(device) for column in columns]
        for start in range(0, len(order), self._size):
            yield Batch(*(column[start : start + self._size] for column in on_device))
