"""The best items of each row of scores, in a deterministic order."""

from __future__ import annotations

import numpy as np


def top_items(scores: np.ndarray, k: int) -> np.ndarray:
    """Return the columns of the `k` highest scores of each row, best first; among equal scores the lower column first.

    (rows, items) float32 without NaN -> (rows, min(k, items)) int64. `torch.topk` decides which scores these are, but
    gives no order of equal ones: they are sorted afterwards, and chosen anew where equal scores go on after rank k.
    """
    import torch  # noqa: PLC0415  takes seconds, and who only names a metric ranks nothing

    items = scores.shape[1]
    k = min(k, items)
    found = torch.topk(torch.from_numpy(scores), min(k + 1, items), dim=1)  # one more: a tie may go on after rank k
    values, best = found.values.numpy(), found.indices.numpy()[:, :k]
    equal = values[:, 1:] == values[:, :-1]
    if k < items:
        for row in np.flatnonzero(equal[:, -1]):
            last = values[row, :k] == values[row, k]
            best[row, last] = np.flatnonzero(scores[row] == values[row, k])[: last.sum()]
    tied = np.flatnonzero(equal[:, : k - 1].any(axis=1))
    best[tied] = _sort_equal(best[tied], equal[tied, : k - 1], items)
    return best


def _sort_equal(best: np.ndarray, equal: np.ndarray, items: int) -> np.ndarray:
    """Sort columns (rows, k) within each run of equal scores; `equal` (rows, k - 1): the next score is the same."""
    runs = np.zeros(best.shape, dtype=np.int64)
    np.cumsum(~equal, axis=1, out=runs[:, 1:])
    return np.sort(runs * items + best, axis=1) - runs * items
