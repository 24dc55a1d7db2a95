"""Cold items: holds some items out of training entirely, so that only content can rank them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy  # its parts are imported when they are used

from tasks.data.dataset import Dataset
from tasks.errors import BadInput


@dataclass(frozen=True)
class ColdStart:
    """A dataset whose `items` (m,), sorted column numbers, occur only in test, and the interactions that were lost.

    Each interaction of the original dataset is in `data`, or was a test interaction of an item that is not held out
    (`warm_test`), or belonged to one of the `users_untrained` without training interactions (`untrained`).
    """

    data: Dataset
    items: np.ndarray
    warm_test: int
    untrained: int
    users_untrained: int


def hold_out_items(data: Dataset, *, share: float = 0.1, seed: int = 0) -> ColdStart:
    """Hold out `share` of all items, drawn with `seed`: all their interactions move to test, and test has no others.

    Train and validation keep the interactions of the other items. Users without training interactions keep their row,
    so ids and shapes do not change, but it is empty in every part, so they are not evaluated. Raises BadInput if no
    item or every item is held out, or if train is empty.
    """
    users, columns = data.shape
    held = round(share * columns)
    if not 0 < held < columns:
        raise BadInput(
            f"a share of {share:g} of {columns} items found, which is {held} of them, expected some and not all"
        )
    items = np.sort(np.random.default_rng(seed).choice(columns, held, replace=False))
    cold = np.zeros(columns, dtype=bool)
    cold[items] = True
    everybody = np.ones(users, dtype=bool)
    train = _part(data.train, everybody, ~cold)
    trained = np.diff(train.indptr) > 0
    interactions = (data.train + data.valid + data.test).tocsr()  # no pair is in two of them, so of ones
    sequences = None if data.sequences is None else data.sequences.take(~cold[data.sequences.items])
    valid, test = _part(data.valid, trained, ~cold), _part(interactions, trained, cold)
    held_out = replace(data, train=train, valid=valid, test=test, sequences=sequences)
    warm_test = _part(data.test, everybody, ~cold).nnz
    kept = held_out.train.nnz + held_out.valid.nnz + held_out.test.nnz
    before = np.diff(interactions.indptr) > 0
    return ColdStart(held_out, items, warm_test, interactions.nnz - warm_test - kept, int((before & ~trained).sum()))


def _part(matrix: scipy.sparse.csr_matrix, users: np.ndarray, items: np.ndarray) -> scipy.sparse.csr_matrix:
    """Return the entries of the masked users and items, in a matrix of the same shape."""
    entries = matrix.tocoo()
    kept = users[entries.row] & items[entries.col]
    part = scipy.sparse.csr_matrix((entries.data[kept], (entries.row[kept], entries.col[kept])), shape=matrix.shape)
    part.sort_indices()
    return part
