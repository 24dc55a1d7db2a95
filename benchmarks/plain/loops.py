"""Negatives and metrics as loops over users."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np
import torch

from tasks.data import Dataset


def batches(data: Dataset, size: int) -> int:
    """Draw the batches of an epoch; negatives by rejection sampling. Returns the number of batches."""
    histories = [set(data.train[user].indices.tolist()) for user in range(data.train.shape[0])]
    triples = []
    for user, items in enumerate(histories):
        for item in items:
            negative = random.randrange(data.train.shape[1])  # noqa: S311  no secret
            while negative in items:
                negative = random.randrange(data.train.shape[1])  # noqa: S311
            triples.append((user, item, negative))
    random.shuffle(triples)
    return sum(torch.tensor(triples[start : start + size]).ndim > 0 for start in range(0, len(triples), size))


def evaluation(scores: Callable[[np.ndarray], np.ndarray], data: Dataset) -> dict[str, float]:
    """Return recall and NDCG at 20, computed user by user."""
    users = [user for user in range(data.test.shape[0]) if len(data.test[user].indices)]
    recall = ndcg = 0.0
    for user in users:
        row = scores(np.array([user]))[0].copy()
        row[data.train[user].indices] = -np.inf
        best = np.argsort(-row, kind="stable")[:20].tolist()
        wanted = set(data.test[user].indices.tolist())
        ideal = sum(1 / math.log2(rank + 2) for rank in range(min(20, len(wanted))))
        recall += len(wanted.intersection(best)) / len(wanted)
        ndcg += sum(1 / math.log2(rank + 2) for rank, item in enumerate(best) if item in wanted) / ideal
    return {"recall@20": recall / len(users), "ndcg@20": ndcg / len(users)}
