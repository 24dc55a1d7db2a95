"""The k-core of an interaction log: repeatedly removes users and items with fewer than k interactions."""

from __future__ import annotations

import numpy as np

from tasks.data.interactions import Interactions
from tasks.errors import BadInput


def k_core(interactions: Interactions, k: int) -> Interactions:
    """Return the largest part of the log in which every user and every item has at least `k` interactions.

    Rows keep their order. Raises BadInput if nothing is left.
    """
    keep = k_core_rows(interactions.users, interactions.items, k)
    if not keep.any():
        raise BadInput(
            f"nothing is left of {len(interactions)} interactions in a {k}-core, expected some: lower k or give more"
        )
    return interactions.take(keep)


def k_core_rows(users: np.ndarray, items: np.ndarray, k: int) -> np.ndarray:
    """Return an (n,) bool mask of the k-core's rows. Each pass until convergence is linear in the remaining rows."""
    rows = np.arange(len(users))
    while len(rows):
        left_users, left_items = users[rows], items[rows]
        enough = (np.bincount(left_users)[left_users] >= k) & (np.bincount(left_items)[left_items] >= k)
        if enough.all():
            break
        rows = rows[enough]
    keep = np.zeros(len(users), dtype=bool)
    keep[rows] = True
    return keep
