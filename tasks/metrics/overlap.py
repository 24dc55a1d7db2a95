"""How much two models' lists have in common."""

from __future__ import annotations

import numpy as np

from tasks.data import Dataset
from tasks.data.blocks import row_blocks
from tasks.metrics.ranking import Scores
from tasks.metrics.topk import top_items


def list_overlap(first: Scores, second: Scores, data: Dataset, users: np.ndarray, k: int) -> np.ndarray:
    """Share (n,) of the top `k` of two scores that is in both, for n row numbers `users`.

    Items that a user has taken, in any part, are left out; where fewer than k are left, of that many. A user to whom
    nothing is left has 1.
    """
    taken = (data.train + data.valid + data.test).tocsr()
    shares = []
    for rows in row_blocks(users, data.shape[1]):
        lists: list[np.ndarray] = []
        for scores in (first, second):
            table = np.array(scores(rows), dtype=np.float32)  # (b, items), a copy: masked below
            history = taken[rows]
            table[np.repeat(np.arange(len(rows)), np.diff(history.indptr)), history.indices] = -np.inf
            best = top_items(table, k)
            left = np.take_along_axis(table, best, axis=1) > -np.inf
            lists.append(np.where(left, best, -1 - len(lists)))  # what is masked is in no other list
        common = (lists[0][:, :, None] == lists[1][:, None, :]).any(axis=2).sum(axis=1)
        size = (lists[0] >= 0).sum(axis=1)
        shares.append(np.where(size > 0, common / np.maximum(size, 1), 1.0))
    return np.concatenate(shares) if shares else np.zeros(0)
