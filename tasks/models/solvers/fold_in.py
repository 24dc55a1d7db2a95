"""A vector for a user whom a model has never seen, from the items that the user took: ridge least squares.

Hu, Koren, Volinsky, Collaborative Filtering for Implicit Feedback Datasets, ICDM 2008, equation 4, on item vectors Y
that stay as they are (`least_squares.py`). For CMF it is the very step that makes its users, and for iALS that step
solved exactly, for the items as they are at the end. Other models of products learn no such lambda, so it is the one of
a few that brings known users closest to what they learned (`calibrated`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from tasks.data.blocks import CELLS
from tasks.models.solvers.least_squares import growth, rows_solved
from tasks.models.solvers.standardise import standardise_scores

ALPHA = 20.0  # what was taken against what was not; figures are flat from 5 to 20
RIDGES = (1.0, 3.0, 5.0, 10.0, 20.0, 30.0)  # lambda over the mean of the diagonal of Y'Y
SAMPLE = 500  # users asked at most: enough to tell the ridges apart


@dataclass(frozen=True)
class FoldIn:
    """The weights of equation 4, and the factor that brings x to the length of the vectors that were learned.

    The factor changes no ranking but where items have a bias: without it the bias would drown x. `l2` is lambda of an
    empty history; with an `exponent` it grows with the history (`least_squares.growth`).
    """

    alpha: float
    l2: float
    scale: float = 1.0
    exponent: float = 0.0

    def vectors(self, items: np.ndarray, gram: np.ndarray, taken: sparse.csr_matrix) -> np.ndarray:
        """(n, d) float64 for `taken` (n, items) of ones, `items` (items, d) and their `gram` Y'Y (d, d) float64."""
        l2 = self.l2 * growth(taken, self.alpha, self.exponent)
        return self.scale * rows_solved(items, taken, self.alpha, l2, gram[None])


def gram_of(items: np.ndarray) -> np.ndarray:
    """Y'Y (d, d) float64."""
    wide = items.astype(np.float64)
    return np.asarray(wide.T @ wide)


def calibrated(users: np.ndarray, items: np.ndarray, bias: np.ndarray, taken: sparse.csr_matrix) -> FoldIn:
    """The lambda under which known users, folded in, score the catalogue most like they do by their own vectors.

    `users` (U, d), `items` (I, d) and `bias` (I,) are what was learned from `taken` (U, I). "Like" is the mean
    correlation over a sample of users, evenly spaced among those with a history.
    """
    known = np.flatnonzero(np.diff(taken.indptr))
    sample = known[:: max(1, -(-len(known) // max(1, min(SAMPLE, CELLS // len(items)))))]
    gram, length = gram_of(items), np.linalg.norm(users[sample], axis=1).mean()
    unit = float(np.trace(gram)) / len(gram) or 1.0  # no item has a vector: then no lambda matters
    own = standardise_scores(users[sample] @ items.T + bias)
    best, closest = FoldIn(ALPHA, unit), -np.inf
    for ridge in RIDGES:
        plain = FoldIn(ALPHA, ridge * unit)
        found = plain.vectors(items, gram, taken[sample])
        scale = float(length / (np.linalg.norm(found, axis=1).mean() or 1.0))
        likeness = float((own * standardise_scores((scale * found).astype(np.float32) @ items.T + bias)).mean())
        if likeness > closest:
            best, closest = FoldIn(ALPHA, plain.l2, scale), likeness
    return best
