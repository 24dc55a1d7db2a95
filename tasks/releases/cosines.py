"""Similarity of two items: the cosine of their vectors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import sparse

from tasks.errors import TaskError

Cosines = Callable[[np.ndarray], np.ndarray]


def cosines_of(model: str, vectors: np.ndarray | sparse.csr_matrix) -> Cosines:
    """Return a function from item numbers (b,) to (b, items) float32 cosines, -inf if either vector is zero.

    `vectors` (items, d), dense or sparse. Raises TaskError, naming `model`, if they are not finite.
    """
    if isinstance(vectors, np.ndarray):
        lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    else:
        lengths = np.sqrt(np.asarray(vectors.multiply(vectors).sum(axis=1), dtype=np.float32).ravel())
    if not np.isfinite(lengths).all():
        raise TaskError(f"model {model} has item vectors that are not finite, expected finite ones: train it again")
    transposed = vectors.T if isinstance(vectors, np.ndarray) else vectors.T.tocsr()
    zero = lengths == 0
    inverse = 1 / np.where(zero, np.float32(1), lengths)

    def cosines(rows: np.ndarray) -> np.ndarray:
        table = vectors[rows] @ transposed
        table = np.asarray(table.toarray() if sparse.issparse(table) else table, dtype=np.float32)
        table *= inverse[rows, None]
        table *= inverse
        table[zero[rows]] = -np.inf
        table[:, zero] = -np.inf
        return table

    return cosines
