"""Fold-in: the vector of a new user from the user's items, by ridge regression.

Hu, Koren, Volinsky, Collaborative Filtering for Implicit Feedback Datasets, ICDM 2008, equation 4, with fixed item
vectors Y (`least_squares.py`). For CMF it is the same step as for its users; for iALS it is that step solved exactly
with the final item vectors. Other factor models have no such lambda, so the best of a few values is chosen, with which
folded-in known users are closest to their learned vectors (`calibrate`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from tasks.data.blocks import CELLS
from tasks.models.solvers.least_squares import growth, solve_rows
from tasks.models.solvers.standardise import standardise_scores

ALPHA = 20.0  # weight of interactions over missing pairs; metrics hardly change from 5 to 20
RIDGES = (1.0, 3.0, 5.0, 10.0, 20.0, 30.0)  # lambda over the mean of the diagonal of Y'Y
SAMPLE = 500  # users asked at most: enough to tell the ridges apart


@dataclass(frozen=True)
class FoldIn:
    """The weights of equation 4, and a factor that scales x to the length of the learned vectors.

    The factor matters only if items have a bias, which would otherwise dominate. `l2` is lambda of an empty history;
    with an `exponent` it grows with the history (`least_squares.growth`).
    """

    alpha: float
    l2: float
    scale: float = 1.0
    exponent: float = 0.0

    def vectors(self, items: np.ndarray, gram: np.ndarray, interactions: sparse.csr_matrix) -> np.ndarray:
        """Return (n, d) float64 vectors for `interactions` (n, items), `items` (items, d) and `gram` Y'Y (d, d)."""
        l2 = self.l2 * growth(interactions, self.alpha, self.exponent)
        return self.scale * solve_rows(items, interactions, self.alpha, l2, gram[None])


def gram_of(items: np.ndarray) -> np.ndarray:
    """Return Y'Y (d, d) float64."""
    wide = items.astype(np.float64)
    return np.asarray(wide.T @ wide)


def calibrate(users: np.ndarray, items: np.ndarray, bias: np.ndarray, interactions: sparse.csr_matrix) -> FoldIn:
    """Choose the lambda with which folded-in known users have scores closest to those of their learned vectors.

    `users` (U, d), `items` (I, d) and `bias` (I,) were learned from `interactions` (U, I). Closeness is the mean
    correlation of scores over a sample of users, evenly spaced among those with a history.
    """
    known = np.flatnonzero(np.diff(interactions.indptr))
    sample = known[:: max(1, -(-len(known) // max(1, min(SAMPLE, CELLS // len(items)))))]
    gram, length = gram_of(items), np.linalg.norm(users[sample], axis=1).mean()
    unit = float(np.trace(gram)) / len(gram) or 1.0  # no item has a vector: then no lambda matters
    own = standardise_scores(users[sample] @ items.T + bias)
    best, closest = FoldIn(ALPHA, unit), -np.inf
    for ridge in RIDGES:
        plain = FoldIn(ALPHA, ridge * unit)
        folded = plain.vectors(items, gram, interactions[sample])
        scale = float(length / (np.linalg.norm(folded, axis=1).mean() or 1.0))
        likeness = float((own * standardise_scores((scale * folded).astype(np.float32) @ items.T + bias)).mean())
        if likeness > closest:
            best, closest = FoldIn(ALPHA, plain.l2, scale), likeness
    return best
