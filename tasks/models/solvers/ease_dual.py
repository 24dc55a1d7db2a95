"""EASE solved exactly with a matrix of users instead of items, for far fewer users than items.

By Woodbury's identity (Hager, Updating the Inverse of a Matrix, SIAM Review 1989, equation 2) the P of EASE is
P = (X'X + lambda I)^-1 = (I - X'KX) / lambda with K = (XX' + lambda I)^-1, (users, users). Then B = I - P / diag(P), by
columns, is never built: scores = x B = x - (x P) / diag(P). For the training users XP = KX.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from scipy import sparse

from tasks.data import Sequences
from tasks.models.solvers.arrays import build_sparse, get_array
from tasks.models.solvers.closed_form import BLOCK, gram, inverse_in_place


@dataclass(frozen=True)
class Dual:
    """`inverse` K (users, users) and `diagonal` of P (items,), float32; `history` X (users, items); `l2` lambda."""

    kind: ClassVar[str] = "item-item-dual"  # of models/serving.py, where its methods are described
    vectors: ClassVar[None] = None
    inverse: np.ndarray
    diagonal: np.ndarray
    history: sparse.csr_matrix
    l2: float

    def known(self, users: np.ndarray, interactions: sparse.csr_matrix) -> np.ndarray:
        """(n, items) for row numbers `users` of training."""
        return self._scores(self.history[users].toarray(), self.inverse[users] @ self.history)

    def new(self, histories: Sequences) -> np.ndarray:
        """(n, items) for n users with `histories`, in any order."""
        interactions = histories.matrix(len(self.diagonal))
        common = (interactions @ self.history.T) @ self.inverse  # (n, users)
        dense = interactions.toarray()
        return self._scores(dense, (dense - common @ self.history) / np.float32(self.l2))

    def _scores(self, interactions: np.ndarray, product: np.ndarray) -> np.ndarray:
        """Return x - (x P) / diag(P), (n, items)."""
        return np.asarray(interactions - product / self.diagonal, dtype=np.float32)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return `inverse`, `diagonal`, the rows of X as `starts` and `indices`, and `l2` ()."""
        arrays = {"starts": self.history.indptr, "indices": self.history.indices}
        arrays |= {"inverse": self.inverse, "diagonal": self.diagonal, "l2": np.array(self.l2)}
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def facts(self) -> dict[str, Any]:
        return {}

    @classmethod
    def read(cls, arrays: Mapping[str, np.ndarray], _facts: Mapping[str, Any], users: int, items: int) -> Self:
        history = build_sparse(np.ones(len(arrays["indices"]), dtype=np.float32), arrays, (users, items))
        inverse, diagonal = get_array(arrays, "inverse", (users, users)), get_array(arrays, "diagonal", (items,))
        return cls(inverse, diagonal, history, float(get_array(arrays, "l2", ())))


def dual(interactions: sparse.csr_matrix, l2: float) -> Dual:
    """Return the model of `interactions` (users, items) of ones with lambda `l2`."""
    history = interactions.astype(np.float32)
    inverse = inverse_in_place(gram(history.T), l2).T  # the same, in C order
    by_item = history.T.tocsr()  # (items, users)
    diagonal = np.empty(history.shape[1], dtype=np.float32)
    for start in range(0, len(diagonal), BLOCK):
        block = by_item[start : start + BLOCK]
        explained = np.asarray(block.multiply(block @ inverse).sum(axis=1)).ravel()  # x_j' K x_j, below 1
        diagonal[start : start + BLOCK] = (1.0 - explained) / l2
    return Dual(inverse, diagonal, history, l2)
