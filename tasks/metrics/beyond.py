"""Metrics beyond accuracy of the first k ranks: coverage of the catalogue, popularity and novelty.

With n_i the training interactions of item i and U users: coverage@k is the share of the catalogue that is among any
user's first k; popularity@k is the mean of n_i over the recommended items; novelty@k is the mean of -log2 p(i) (Vargas,
Castells, Rank and Relevance in Novelty and Diversity Metrics for Recommender Systems, RecSys 2011), with
p(i) = (n_i + 1) / (U + 1), so that it is finite for an item without interactions. If masks leave a user fewer than k
items, only those are counted.
"""

from __future__ import annotations

import numpy as np

from tasks.data import Dataset
from tasks.metrics.metric import Metric
from tasks.metrics.ranking import Evaluation


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
    return metrics
