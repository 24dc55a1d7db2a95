"""Small datasets with known answers, for all recommenders."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import sparse

from tasks.data import Dataset, Sequences

GROUPS = 4


def checkerboard(size: int = 30) -> Dataset:
    """Return a dataset in which even users like even items, odd users odd ones; item u of user u is the test item.

    The next item that the user likes is the validation item. The features are noise.
    """
    users, items = np.indices((size, size))
    likes = (users + items) % 2 == 0
    test = users == items
    valid = items == (users + 2) % size
    noise = np.random.default_rng(0).normal(size=(size, 8)).astype(np.float32)
    return dataset("checkerboard", likes & ~test & ~valid, likes & valid, test, {"text": noise})


def content_world(users: int = 80, items: int = 120, *, train: int = 6, permute: int | None = None) -> Dataset:
    """Return a dataset in which each user likes one of four groups of items and interacts with `train` of its items.

    Two modalities of different widths and scales encode the group, with noise. `permute` is a seed that shuffles rows.
    """
    rng = np.random.default_rng(1)
    group_of_user, group_of_item = np.arange(users) % GROUPS, np.arange(items) % GROUPS
    splits = np.zeros((3, users, items), dtype=bool)
    for user in range(users):
        liked = rng.permutation(np.flatnonzero(group_of_item == group_of_user[user]))
        for split, chosen in enumerate((liked[:train], liked[train : train + 3], liked[train + 3 : train + 8])):
            splits[split, user, chosen] = True
    one_hot = np.eye(GROUPS)[group_of_item]
    rows = np.arange(items) if permute is None else np.random.default_rng(permute).permutation(items)
    features = {
        "image": (one_hot @ rng.normal(size=(GROUPS, 12)) + 0.1 * rng.normal(size=(items, 12)))[rows],
        "audio": (900 + 100 * one_hot @ rng.normal(size=(GROUPS, 5)) + 10 * rng.normal(size=(items, 5)))[rows],
    }
    return dataset("content", *splits, features)


def dataset(
    name: str, train: np.ndarray, valid: np.ndarray, test: np.ndarray, features: Mapping[str, np.ndarray] | None = None
) -> Dataset:
    """Return a Dataset from three (users, items) tables of flags; ids differ from row numbers."""
    users, items = train.shape
    return Dataset(
        name=name,
        train=sparse.csr_matrix(train.astype(np.float32)),
        valid=sparse.csr_matrix(valid.astype(np.float32)),
        test=sparse.csr_matrix(test.astype(np.float32)),
        user_ids=np.array([f"user {user}" for user in range(users)]),
        item_ids=np.array([f"item {item}" for item in range(items)]),
        features={modality: np.asarray(rows, dtype=np.float32) for modality, rows in (features or {}).items()},
    )


def histories(interactions: sparse.csr_matrix) -> Sequences:
    """The histories of the users of `interactions` (n, items), in the order of the items' numbers."""
    return Sequences(interactions.indptr.astype(np.int64), interactions.indices.astype(np.int64))


def random_world(users: int, items: int, *, density: float = 0.3, seed: int = 0) -> Dataset:
    """Return a random dataset: a pair is in train with probability `density`, in valid and test with a tenth of it."""
    rng = np.random.default_rng(seed)
    draw = rng.random((users, items))
    train = draw < density
    train[0, 0] = True
    valid = ~train & (draw < 1.1 * density)
    test = ~train & ~valid & (draw < 1.2 * density)
    features = {"text": rng.normal(size=(items, 6)), "audio": rng.normal(size=(items, 3))}
    return dataset("random", train, valid, test, features)
