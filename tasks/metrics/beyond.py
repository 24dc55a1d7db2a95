"""Metrics beyond accuracy of the first k ranks: coverage of the catalogue, popularity, novelty and diversity.

With n_i the training interactions of item i and U users: coverage@k is the share of the catalogue that is among any
user's first k; popularity@k is the mean of n_i over the recommended items; novelty@k is the mean of -log2 p(i) (Vargas,
Castells, Rank and Relevance in Novelty and Diversity Metrics for Recommender Systems, RecSys 2011), with
p(i) = (n_i + 1) / (U + 1), so that it is finite for an item without interactions. If masks leave a user fewer than k
items, only those are counted. diversity@k is the mean over users and features of the mean of 1 - cosine between two
different items of a user's first k (intra-list diversity: Ziegler et al., Improving Recommendation Lists Through Topic
Diversification, WWW 2005), with each feature centred, of every n-th user so that at most 5,000 count; a dataset without
features has none.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.data import Dataset
from tasks.metrics.metric import Metric
from tasks.metrics.ranking import Evaluation

DIVERSITY_OF = 5_000  # users, whose lists take a tenth of a millisecond each


def beyond_accuracy(evaluation: Evaluation, data: Dataset) -> dict[str, float]:
    """Return `{"coverage@5": ..., "novelty@5": ..., "popularity@5": ...}` at every cutoff of the evaluation."""
    users, items = data.shape
    counts = np.bincount(data.train.indices, minlength=items)
    novelty = -np.log2((counts + 1) / (users + 1))
    metrics: dict[str, float] = {}
    for k in evaluation.cutoffs:
        ranked = evaluation.top[:, :k]
        shown = ranked[ranked >= 0]
        metrics[str(Metric("coverage", k))] = len(np.unique(shown)) / items
        metrics[str(Metric("novelty", k))] = float(novelty[shown].mean())
        metrics[str(Metric("popularity", k))] = float(counts[shown].mean())
    if data.features:
        lists = evaluation.top[:: 1 + (len(evaluation.top) - 1) // DIVERSITY_OF]
        cutoffs = [k for k in evaluation.cutoffs if k > 1]
        tables = [_diversity(lists, _directions(one), cutoffs) for one in data.features.values()]
        values = zip(cutoffs, np.mean(tables, axis=0).tolist(), strict=True)
        metrics |= {str(Metric("diversity", k)): value for k, value in values}
    return metrics


def _directions(matrix: np.ndarray) -> np.ndarray:
    """(I + 1, d) unit vectors of a centred feature (I, d); zeros for an item at the mean, and in the last row."""
    rows = matrix - matrix.mean(axis=0)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 1e-6 * lengths.max(initial=0))
    return np.vstack([unit, np.zeros_like(unit[:1])])


def _diversity(ranked: np.ndarray, directions: np.ndarray, cutoffs: Sequence[int]) -> np.ndarray:
    """(len(cutoffs),) means over users of 1 - the mean cosine of two items, from the length of the sum of unit vectors.

    `ranked` (U, largest cutoff) has -1 where there is no item. A list of fewer than two items counts as 1.
    """
    last, values = np.minimum(cutoffs, ranked.shape[1]) - 1, np.ones((len(ranked), len(cutoffs)))
    for row, user in enumerate(ranked):
        unit = directions[user]  # (k, d)
        sums, own = np.square(unit.cumsum(axis=0)[last]).sum(axis=1), np.square(unit).sum(axis=1).cumsum()[last]
        size = (user >= 0).cumsum()[last]
        pairs = np.maximum(size * (size - 1), 1)
        values[row] -= (sums - own) / pairs
    return values.mean(axis=0)
