"""What a run knows beside the dataset that its models are trained on: arrivals, and users outside the k-core.

The catalogue of a run is every item with features. *Known* items are those of the dataset, numbered 0 to K - 1;
*arrivals* are the rest, numbered from K on. Users of the dataset are numbered 0 to U - 1; other users of the log who
interacted with the catalogue follow from U on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from tasks.data.dataset import Dataset
from tasks.data.interactions import Interactions
from tasks.data.numbering import numbering
from tasks.data.order import stable_order
from tasks.data.sequences import Sequences


@dataclass(frozen=True)
class Outside:
    """The rows outside a dataset of U users and K items, and the features of the arrivals.

    `interactions`: vocabularies are all users (U + V,) and the catalogue (K + A,). `features`: feature -> (A, width).
    """

    interactions: Interactions
    features: Mapping[str, np.ndarray]

    @classmethod
    def nothing(cls, data: Dataset) -> Self:
        """Where the dataset is the whole log and the whole catalogue."""
        none = np.zeros(0, dtype=np.int32)
        features = {name: matrix[:0] for name, matrix in data.features.items()}
        return cls(Interactions(none, none, data.user_ids, data.item_ids), features)

    def histories(self, users: int) -> Sequences:
        """What each of the V users from number `users` on took, oldest first; without times in the order of the log."""
        log = self.interactions
        rows = np.flatnonzero(log.users >= users)
        mine = log.users[rows] - users
        order = stable_order(mine, np.zeros_like(mine) if log.timestamps is None else log.timestamps[rows])
        counts = np.bincount(mine, minlength=len(log.user_ids) - users)
        starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        return Sequences(starts, log.items[rows[order]].astype(np.int64))


def outside_of(whole: Interactions, catalogue: np.ndarray, user_ids: np.ndarray, item_ids: np.ndarray) -> Interactions:
    """The rows of a log about the `catalogue` (C,) that are not in the dataset of `user_ids` (U,) and `item_ids` (K,).

    Vocabularies of the result are those of the dataset, followed by the other users and by the arrivals, each by
    `numbering`; codes are numbers in them. Rows are in the order of the log, without labels.
    """
    arrivals = np.setdiff1d(catalogue, item_ids)
    items = np.concatenate([item_ids, arrivals[numbering(arrivals)]])
    item_numbers = pd.Index(items.tolist()).get_indexer(pd.Index(whole.item_ids.tolist())).astype(np.int32)
    user_numbers = pd.Index(user_ids.tolist()).get_indexer(pd.Index(whole.user_ids.tolist())).astype(np.int32)
    known_user, number = (user_numbers >= 0)[whole.users], item_numbers[whole.items]
    rows = np.flatnonzero((number >= 0) & ~(known_user & (number < len(item_ids))))
    others = np.setdiff1d(np.unique(whole.users[rows]), np.flatnonzero(user_numbers >= 0))
    order = numbering(whole.user_ids[others])
    user_numbers[others[order]] = len(user_ids) + np.arange(len(others), dtype=np.int32)
    users = np.concatenate([user_ids, whole.user_ids[others[order]]])
    times = None if whole.timestamps is None else whole.timestamps[rows]
    return Interactions(user_numbers[whole.users[rows]], number[rows], users, items, times)
