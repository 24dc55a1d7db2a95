"""What a run knows beside the dataset that its models are trained on: arrivals, and users outside the k-core.

The catalogue of a run is every item with features. *Known* items are those of the dataset, numbered 0 to K - 1;
*arrivals* are the rest, numbered from K on. Users of the dataset are numbered 0 to U - 1; other users of the log who
interacted with the catalogue follow from U on.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from tasks.data.interactions import Interactions
from tasks.data.numbering import numbering


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
