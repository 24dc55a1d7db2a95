"""Metrics by segment: users by the length of their history, items by their popularity.

Users: `short`, `medium` and `long` histories are split at the terciles of the training interactions of the evaluated
users; users with equal numbers are in the same segment, so the three can differ in size. Items: `head` is the smallest
set of most popular items with 80 % of the training interactions, `tail` all others; `cold` items have no training
interactions, `warm` items have some. The splits of `tasks.data` leave no item cold; `hold_out_items` makes cold items.
The metric of an item segment is recall@k of the positives in it, a mean over the users who have any.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from tasks.data import Dataset
from tasks.metrics.metric import Metric
from tasks.metrics.ranking import EvalSplit, Evaluation, UserValues

HEAD_PERCENT = 80


@dataclass(frozen=True)
class Segment:
    """Mean metrics of a segment, and its numbers of users, items and positives; no metrics if it has no positives."""

    segment: str
    users: int
    items: int
    positives: int
    metrics: dict[str, float]


def by_segment(evaluation: Evaluation, data: Dataset, split: EvalSplit) -> list[Segment]:
    """Return the segments short, medium, long, head, tail, warm and cold of `evaluation` on `split` of `data`."""
    positives: sparse.csr_matrix = getattr(data, split)[evaluation.users]  # (n, items)
    histories = np.diff(data.train.indptr)[evaluation.users]
    counts = np.bincount(data.train.indices, minlength=data.shape[1])
    head = head_items(counts)
    users = [_of_users(name, evaluation, positives, chosen) for name, chosen in terciles(histories).items()]
    parts = {"head": head, "tail": ~head, "warm": counts > 0, "cold": counts == 0}
    return users + [_of_items(name, evaluation, positives, chosen) for name, chosen in parts.items()]


def terciles(histories: np.ndarray) -> dict[str, np.ndarray]:
    """Return (n,) masks of users with short, medium and long histories, split at the terciles of the lengths (n,)."""
    first, second = np.quantile(histories, [1 / 3, 2 / 3], method="inverted_cdf")
    short, long = histories <= first, histories > second
    return {"short": short, "medium": ~short & ~long, "long": long}


def head_items(counts: np.ndarray) -> np.ndarray:
    """Return an (items,) mask of the fewest items with HEAD_PERCENT of the interactions; `counts` (items,)."""
    order = np.argsort(-counts, kind="stable")
    held = counts[order].cumsum()
    size = int(np.searchsorted(held * 100, HEAD_PERCENT * held[-1])) + 1
    mask = np.zeros(len(counts), dtype=bool)
    mask[order[:size]] = True
    return mask


def _of_users(name: str, evaluation: Evaluation, positives: sparse.csr_matrix, chosen: np.ndarray) -> Segment:
    values = {metric: table[chosen] for metric, table in evaluation.values.items()}
    part = UserValues(evaluation.users[chosen], evaluation.cutoffs, values)
    means = part.means() if len(part.users) else {}
    return Segment(name, len(part.users), positives.shape[1], int(positives[chosen].nnz), means)


def _of_items(name: str, evaluation: Evaluation, positives: sparse.csr_matrix, chosen: np.ndarray) -> Segment:
    wanted = np.bincount(_rows(positives)[chosen[positives.indices]], minlength=len(evaluation.users))
    some = wanted > 0
    hits = _ranks(evaluation.top, positives.shape[1]).multiply(positives).tocoo()  # the rank of each hit
    recall = {}
    for k in evaluation.cutoffs if some.any() else ():
        hits_of = np.bincount(hits.row[(hits.data <= k) & chosen[hits.col]], minlength=len(wanted))
        recall[str(Metric("recall", k))] = float((hits_of[some] / wanted[some]).mean())
    return Segment(name, int(some.sum()), int(chosen.sum()), int(wanted.sum()), recall)


def _ranks(top: np.ndarray, items: int) -> sparse.csr_matrix:
    """Return (n, items): the rank, from 1, of each item in the top list of each user."""
    users, ranks = np.nonzero(top >= 0)
    return sparse.csr_matrix(((ranks + 1).astype(np.float32), (users, top[users, ranks])), shape=(len(top), items))


def _rows(matrix: sparse.csr_matrix) -> np.ndarray:
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
