"""The map from content: the score of an item is a weighted sum of the same user's scores of known items.

Gaussian process regression of the known items' scores on content: with kernel k, the noise of item j l2 / w_j and w_j
growing with its interactions, W = k(A, K) (k(K, K) + diag(l2 / w))^-1 (Rasmussen, Williams 2006, equation 2.25). The
same W serves every user and every column of item vectors, since the prediction is linear in them (Gantner et al.,
Learning Attribute-to-Feature Mappings for Cold-Start Recommendations, ICDM 2010, map to the vectors of one model).

Each known item can be treated as an arrival without fitting again: its prediction from all others is column j of
B_ij = -P_ij / P_jj, 0 on the diagonal, with P the inverse above (ibid. equation 5.12; it is the closed form of EASE).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve

from tasks.arrivals.kernel import Kernel, cosines_between
from tasks.metrics import top_items
from tasks.models.solvers.closed_form import weights_in_place

SHARPNESS, L2, EXPONENT = (1.0, 2.0, 0.5, 4.0), (0.1, 0.03, 0.3, 1.0), (0.5, 0.0, 1.0)  # tried; the first is the start
SHARES = (0.0, 0.5, 2.0)  # of a modality, relative to one of the start
RANKS, PART = 20, 20  # first held-out items that count as found: RANKS, but one in PART of a small catalogue
Features = Mapping[str, np.ndarray]  # modality -> directions, (items, width)


@dataclass(frozen=True)
class Smoother:
    """Hyperparameters of the map; `weights` relative to each other."""

    weights: Mapping[str, float]
    sharpness: float = SHARPNESS[0]
    l2: float = L2[0]
    exponent: float = EXPONENT[0]  # of the number of interactions, in the weight of a known item

    @property
    def kernel(self) -> Kernel:
        """With weights that sum to 1."""
        total = sum(self.weights.values())
        return Kernel({name: weight / total for name, weight in self.weights.items()}, self.sharpness)

    def noise(self, counts: np.ndarray) -> np.ndarray:
        """Return (K,) l2 over the weight of each item; an item without interactions has the weight of one."""
        weights = np.maximum(counts, 1.0) ** self.exponent
        return np.asarray(self.l2 * weights.mean() / weights)

    def fit(self, known: Features, arrivals: Features, counts: np.ndarray) -> np.ndarray:
        """Return W (A, K) float32 of the arrivals from the known items, which were taken `counts` (K,) times."""
        matrix = self.kernel.between(known, known).astype(np.float64)
        matrix[np.diag_indices(len(matrix))] += self.noise(counts)
        factor = cho_factor(matrix, overwrite_a=True)
        return np.asarray(cho_solve(factor, self.kernel.between(known, arrivals)).T, dtype=np.float32)

    def held_out(self, cosines: Mapping[str, np.ndarray], counts: np.ndarray) -> np.ndarray:
        """Return B (K, K) float32: column j has the weights that predict item j from all others.

        `cosines`: modality -> (K, K) float32.
        """
        return weights_in_place(np.asfortranarray(self.kernel.of(cosines)), self.noise(counts))


def choose_smoother(known: Features, counts: np.ndarray, scores: np.ndarray, taken: sparse.csr_matrix) -> Smoother:
    """Return the hyperparameters that find most of what users took, each known item held out in turn.

    `scores` (n, K) of a sample of users and what they have `taken` (n, K). Coordinate search from equal shares of all
    modalities; only a better value replaces one.
    """
    cosines = cosines_between(known, known)

    def find(tried: Smoother) -> float:
        return _recall(np.asarray(scores @ tried.held_out(cosines, counts), dtype=np.float32), taken)

    best = Smoother(dict.fromkeys(known, 1.0))
    found = find(best)
    for change in _changes(list(known)):
        tried = change(best)
        if any(tried.weights.values()) and (recall := find(tried)) > found:
            best, found = tried, recall
    return best


def _changes(modalities: list[str]) -> list[Callable[[Smoother], Smoother]]:
    """What is tried, in this order, on the best until then."""

    def set_weight(name: str, share: float) -> Callable[[Smoother], Smoother]:
        return lambda best: replace(best, weights={**best.weights, name: share})

    return [
        *(set_weight(name, share) for name in modalities for share in SHARES),
        *(partial(replace, sharpness=value) for value in SHARPNESS[1:]),
        *(partial(replace, l2=value) for value in L2[1:]),
        *(partial(replace, exponent=value) for value in EXPONENT[1:]),
    ]


def _recall(predicted: np.ndarray, taken: sparse.csr_matrix) -> float:
    """Mean over users of the share of their items that are among the first, of as many as can be."""
    ranks = max(1, min(RANKS, predicted.shape[1] // PART))
    hits = np.take_along_axis(taken.toarray() > 0, top_items(predicted, ranks), axis=1).sum(axis=1)
    has = np.diff(taken.indptr)
    return float((hits[has > 0] / np.minimum(has[has > 0], ranks)).mean()) if has.any() else 0.0
