"""Histories whose order is known: the interactions of each user, oldest first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy  # its parts are imported when they are used

from tasks.data.interactions import Interactions
from tasks.data.order import stable_order
from tasks.data.splits import TRAIN, labels_of
from tasks.errors import BadInput


@dataclass(frozen=True)
class Sequences:
    """Ordered histories of U users: user u interacted with `items[starts[u]:starts[u + 1]]`, oldest first.

    `starts` (U + 1,), `items` (n,) column numbers and `seconds` (n,) since 1970, never falling within a user, are int64
    and become read-only. `seconds` is None for histories of which only the order is known.
    """

    starts: np.ndarray
    items: np.ndarray
    seconds: np.ndarray | None = None

    def __post_init__(self) -> None:
        arrays = {name: array for name, array in vars(self).items() if array is not None}
        for name, array in arrays.items():
            if array.dtype != np.int64 or array.ndim != 1:
                raise BadInput(f"{name} of sequences are {array.dtype} of shape {array.shape}, expected (n,) int64")
            array.setflags(write=False)
        starts, size = self.starts, len(self.items)
        if not len(starts) or starts[0] or starts[-1] != size or (np.diff(starts) < 0).any():
            raise BadInput(f"starts of sequences do not lead from 0 to their {size} items, expected them to")
        if self.seconds is not None:
            self._check_times(self.seconds)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def matrix(self, items: int) -> scipy.sparse.csr_matrix:
        """The interactions without their order: (U, items) CSR float32 of ones with sorted indices."""
        ones = np.ones(len(self.items), dtype=np.float32)
        matrix = scipy.sparse.csr_matrix((ones, self.items, self.starts), shape=(len(self), items), copy=True)
        matrix.sort_indices()
        return matrix

    def take(self, rows: np.ndarray) -> Sequences:
        """The interactions in a mask (n,) of all; users keep their place, also those with nothing left."""
        starts = np.concatenate([[0], np.cumsum(rows, dtype=np.int64)])[self.starts]
        return Sequences(starts, self.items[rows], None if self.seconds is None else self.seconds[rows])

    def _check_times(self, seconds: np.ndarray) -> None:
        size = len(self.items)
        if len(seconds) != size:
            raise BadInput(f"sequences have {len(seconds)} seconds for {size} items, expected one for each")
        rises = np.diff(seconds) >= 0
        rises[self.starts[(self.starts > 0) & (self.starts < size)] - 1] = True  # between two users
        if not rises.all():
            user = int(np.searchsorted(self.starts, np.argmin(rises), side="right")) - 1
            raise BadInput(f"sequences of {len(self)} users go back in time in row {user}, expected the oldest first")


def sequences_of(interactions: Interactions) -> Sequences | None:
    """Each user's interactions of train in order of time, equal times as in the log; None for a log without times.

    `interactions`: a labelled log whose codes are row and column numbers already, no pair twice.
    """
    if interactions.timestamps is None:
        return None
    rows = np.flatnonzero(labels_of(interactions) == TRAIN)
    users, seconds = interactions.users[rows], interactions.timestamps[rows]
    order = stable_order(users, seconds)
    counts = np.bincount(users, minlength=len(interactions.user_ids))
    starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    return Sequences(starts, interactions.items[rows[order]].astype(np.int64), seconds[order])
