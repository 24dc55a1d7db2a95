"""Datasets of the benchmarks: an interaction log and two random 1024-d feature matrices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy import sparse

from tasks.data import Dataset
from tasks.training import Batch, NegativeSampler

WIDTH = 1024


def read(log: Path) -> Dataset:
    """Read a tab-separated table of user, item and 0, 1 or 2 for the split."""
    table = pd.read_csv(log, sep="\t")
    users, items = (np.unique(table.iloc[:, column], return_inverse=True)[1] for column in (0, 1))
    return _dataset(users, items, table.iloc[:, 2].to_numpy())


def draw(count: int, users: int = 6040, items: int = 3256, *, content: bool = True) -> Dataset:
    """Draw at most `count` interactions with items of uneven popularity; the default size is that of MovieLens-1M."""
    rng = np.random.default_rng(0)
    keys = rng.integers(0, users, count) * items + (items * rng.random(count) ** 3).astype(np.int64)
    keys = np.unique(keys)  # repeated pairs count once
    labels = rng.choice(3, len(keys), p=[0.8, 0.1, 0.1])
    return _dataset(keys // items, keys % items, labels, content=content)


def _dataset(users: np.ndarray, items: np.ndarray, splits: np.ndarray, *, content: bool = True) -> Dataset:
    shape = (int(users.max()) + 1, int(items.max()) + 1)
    ones = np.ones(len(users), dtype=np.float32)
    parts = [
        sparse.csr_matrix((ones[splits == n], (users[splits == n], items[splits == n])), shape=shape) for n in range(3)
    ]
    return dataset(*parts, content=content)


def dataset(*splits: sparse.csr_matrix, content: bool = True) -> Dataset:
    """Return a dataset of train, valid and test with features."""
    users, items = splits[0].shape
    rng = np.random.default_rng(1)
    names = ("image", "text") if content else ()
    features = {name: rng.standard_normal((items, WIDTH), dtype=np.float32) for name in names}
    return Dataset("benchmark", *splits, np.arange(users).astype(str), np.arange(items).astype(str), features)


def fixed_batches(data: Dataset, count: int, size: int) -> list[Batch]:
    """Return batches of random interactions, each with a negative."""
    rng = np.random.default_rng(2)
    rows = rng.choice(data.train.nnz, count * size)
    users = np.searchsorted(data.train.indptr, rows, side="right") - 1
    columns = (users, data.train.indices[rows].astype(np.int64), NegativeSampler(data.train).sample(users, rng))
    parts = [torch.from_numpy(column).split(size) for column in columns]
    return [Batch(*part) for part in zip(*parts, strict=True)]
