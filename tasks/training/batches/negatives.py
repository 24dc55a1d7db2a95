"""Negative sampling: for each interaction an item that the user did not interact with, without rejection."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from tasks.errors import BadInput


class NegativeSampler:
    """Samples negatives by one binary search, exactly uniform over the candidates without an interaction of the user.

    Candidates are the items with at least one training interaction: for cold items a missing interaction carries no
    information. With a user's items i_0 < i_1 < ... the r-th free candidate is r + |{k : i_k - k <= r}|, so one sorted
    array of i_k - k over all users suffices; memory is linear in the interactions.
    """

    def __init__(self, interactions: sparse.csr_matrix) -> None:
        counts = np.diff(interactions.tocsc().indptr)
        self._candidates = np.flatnonzero(counts)
        matrix = interactions[:, self._candidates].tocsr()
        matrix.sort_indices()
        degrees = np.diff(matrix.indptr).astype(np.int64)
        self._starts = matrix.indptr.astype(np.int64)
        self._span = len(self._candidates) + 1
        users = np.repeat(np.arange(len(degrees)), degrees)
        within = np.arange(matrix.nnz) - self._starts[users]
        self._keys = users * self._span + matrix.indices - within  # ascending; one segment per user
        self.free = len(self._candidates) - degrees  # (users,) number of candidates without an interaction

    def sample(self, users: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return one item for each of `users` (n,); raises BadInput for a user without free candidates."""
        full = self.free[users] <= 0
        if full.any():
            raise BadInput(
                f"user {users[full][0]} has interacted with every item, expected at least one item left as a negative"
            )
        ranks = (rng.random(len(users)) * self.free[users]).astype(np.int64)  # random() < 1 and free < 2^53: below free
        before = np.searchsorted(self._keys, users * self._span + ranks, side="right") - self._starts[users]
        items: np.ndarray = self._candidates[ranks + before]
        return items
