"""Metrics of full rankings: all items of the catalogue are ranked, except those already seen.

For a user with positives P and the ranking after masking, with rel_r = 1 when rank r holds a positive:
recall@k = hits / |P|; precision@k = hits / k; NDCG@k = sum rel_r / log2(r + 1) over its value for min(k, |P|) hits;
MAP@k = sum rel_r precision@r / min(k, |P|); MRR@k = 1 / rank of the first hit, 0 without one; hit@k = 1 with a hit.
Each metric is the unrounded mean over the users with positives in the split.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy import sparse

from tasks.data import Dataset
from tasks.data.blocks import row_blocks
from tasks.data.dataset import PARTS
from tasks.errors import BadInput, TaskError
from tasks.metrics.metric import Metric
from tasks.metrics.topk import top_items
from tasks.progress import progress

CUTOFFS = (5, 10, 20, 50)
Scores = Callable[[np.ndarray], np.ndarray]
EvalSplit = Literal["valid", "test"]
EVAL_SPLITS: tuple[EvalSplit, ...] = get_args(EvalSplit)  # on which models are measured, in the order of reports


@dataclass(frozen=True)
class UserValues:
    """`values[metric]` is (len(users), len(cutoffs)) float64; `users` (n,) are row numbers, or ids once saved."""

    users: np.ndarray
    cutoffs: tuple[int, ...]
    values: dict[str, np.ndarray]

    def means(self) -> dict[str, float]:
        """Return `{"recall@5": ..., ...}`, means over users."""
        return {
            str(Metric(metric, k)): float(column)
            for metric, table in self.values.items()
            for k, column in zip(self.cutoffs, table.mean(axis=0), strict=True)
        }


@dataclass(frozen=True)
class Evaluation(UserValues):
    """Per-user values of one split, and `top`, (len(users), min(largest cutoff, items)) int32.

    `top` holds the highest-ranked columns, best first; -1 where only masked items are left.
    """

    top: np.ndarray


def evaluate(
    scores: Scores,
    data: Dataset,
    split: EvalSplit,
    *,
    cutoffs: tuple[int, ...] = CUTOFFS,
    exclude_seen: tuple[str, ...] = ("train",),
    label: str | None = None,
) -> Evaluation:
    """Rank the catalogue for every user with positives in `split` and compute the metrics.

    `exclude_seen` names the splits whose items are masked. The default masks only training items, on test and on
    validation, as in published results; `("train", "valid")` on test is what serving does. Progress is shown under
    `label`. Raises BadInput if no user has positives, a split is unknown or both evaluated and excluded, or a cutoff is
    not positive, and TaskError for scores that are not finite or not (users, items).
    """
    if min(cutoffs, default=0) < 1:
        raise BadInput(f"cutoffs {cutoffs} found, expected numbers of ranks from 1 on")
    if split not in PARTS:
        raise BadInput(f"split {split!r} found, expected one of {', '.join(PARTS)}")
    if not set(exclude_seen) <= set(PARTS):  # also refuses a plain string
        raise BadInput(f"exclude_seen {exclude_seen!r} found, expected some of {', '.join(PARTS)}")
    if split in exclude_seen:
        raise BadInput(f"split {split} is both evaluated and excluded, expected exclude_seen without it")
    positives: sparse.csr_matrix = getattr(data, split)
    users = np.flatnonzero(np.diff(positives.indptr))
    if not len(users):
        raise BadInput(
            f"split {split} of {data.name} has no interactions, expected some to evaluate on: use another split rule"
        )
    masks = [getattr(data, name) for name in exclude_seen]
    batches = row_blocks(users, positives.shape[1])
    shown = progress(batches, label=label, unit="batch") if label else batches
    parts = [_hits(scores, rows, positives, masks, max(cutoffs)) for rows in shown]
    hits, top = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Evaluation(users, cutoffs, ranking_metrics(hits, np.diff(positives.indptr)[users], cutoffs), top)


def ranking_metrics(hits: np.ndarray, counts: np.ndarray, cutoffs: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Return per-user values (users, len(cutoffs)) of (users, ranks) bool `hits` and counts of positives (users,)."""
    ranks = np.arange(1, hits.shape[1] + 1)
    ks = np.minimum(cutoffs, hits.shape[1])  # a catalogue may be shorter than k
    hits_so_far = hits.cumsum(axis=1)
    discounts = 1.0 / np.log2(np.arange(2, max(cutoffs) + 2))
    gain = (hits * discounts[: hits.shape[1]]).cumsum(axis=1)
    precision = (hits * (hits_so_far / ranks)).cumsum(axis=1)
    first = hits.argmax(axis=1)[:, None] + 1.0  # (users, 1): rank of the first hit, where there is one
    any_hit = hits_so_far[:, ks - 1] > 0
    reachable = np.minimum(np.asarray(cutoffs)[None, :], counts[:, None])  # (users, cutoffs): min(k, |P|)
    return {
        "recall": hits_so_far[:, ks - 1] / counts[:, None],
        "ndcg": gain[:, ks - 1] / discounts.cumsum()[reachable - 1],
        "precision": hits_so_far[:, ks - 1] / np.asarray(cutoffs),
        "map": precision[:, ks - 1] / reachable,
        "mrr": any_hit / first,
        "hit": any_hit.astype(np.float64),
    }


def _hits(
    scores: Scores, users: np.ndarray, positives: sparse.csr_matrix, masks: list[sparse.csr_matrix], k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return, both (len(users), min(k, items)), whether the item at each rank is a positive, and the item (int32).

    A masked item is -1.
    """
    table = np.array(scores(users), dtype=np.float32)  # a copy: masked below
    if table.shape != (len(users), positives.shape[1]) or not np.isfinite(table).all():
        raise TaskError(
            f"scores of shape {table.shape} found, expected finite ones of shape {(len(users), positives.shape[1])}"
        )
    return rank_table(table, positives[users], [mask[users] for mask in masks], k)


def rank_table(
    table: np.ndarray, positives: sparse.csr_matrix, masks: Iterable[sparse.csr_matrix], k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return what `_hits` does of scores (n, items) float32, which are changed; -inf masks an item as well.

    `positives` and `masks`: (n, items), a row for each row of scores.
    """
    wanted = np.zeros(table.shape, dtype=bool)
    wanted[_cells(positives)] = True
    for mask in masks:
        table[_cells(mask)] = -np.inf
    top = top_items(table, k)
    masked = np.isneginf(np.take_along_axis(table, top, axis=1))  # at the end of the ranking, and not a hit there
    return np.take_along_axis(wanted, top, axis=1) & ~masked, np.where(masked, -1, top).astype(np.int32)


def _cells(matrix: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """Return row and column of every entry."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)), matrix.indices
