"""Negative sampling: for each interaction of a user an item that the user has not taken, without rejection."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from tasks.errors import BadInput


class NegativeSampler:
    """Draws negatives in one pass of binary search, exactly uniform over the candidates that a user has not taken.

    Candidates are the items with at least one training interaction: an item that nobody could take in training says
    nothing by not being taken. With a user's taken items i_0 < i_1 < ... the r-th free one is r + |{k : i_k - k <= r}|,
    so one sorted array of i_k - k over all users answers every draw; memory is linear in the interactions.
    """

    def __init__(self, interactions: sparse.csr_matrix) -> None:
        counts = np.diff(interactions.tocsc().indptr)
        self._candidates = np.flatnonzero(counts)
        taken = interactions[:, self._candidates].tocsr()
        taken.sort_indices()
        degrees = np.diff(taken.indptr).astype(np.int64)
        self._starts = taken.indptr.astype(np.int64)
        self._span = len(self._candidates) + 1
        users = np.repeat(np.arange(len(degrees)), degrees)
        within = np.arange(taken.nnz) - self._starts[users]
        self._keys = users * self._span + taken.indices - within  # ascending: one stretch per user
        self.free = len(self._candidates) - degrees  # (users,) candidates a user has not taken

    def sample(self, users: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """One item for each of `users` (n,); BadInput for a user who has taken every candidate."""
        full = self.free[users] <= 0
        if full.any():
            raise BadInput(f"user {users[full][0]} has taken every item, expected at least one left to be a negative")
        ranks = (rng.random(len(users)) * self.free[users]).astype(np.int64)  # random() < 1 and free < 2^53: below free
        before = np.searchsorted(self._keys, users * self._span + ranks, side="right") - self._starts[users]
        found: np.ndarray = self._candidates[ranks + before]
        return found
