"""Items that nobody has taken yet: some are kept from training entirely, so that content alone can rank them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from tasks.data.dataset import Dataset
from tasks.errors import BadInput


@dataclass(frozen=True)
class ColdStart:
    """A dataset of which `items` (m,), column numbers in order, occur in test alone, and what that cost.

    Interactions of the dataset it was made from are in `data`, or were of an item that is not held out and in test
    (`warm_test`), or of one of the `users_untrained` who then have nothing in train (`untrained`).
    """

    data: Dataset
    items: np.ndarray
    warm_test: int
    untrained: int
    users_untrained: int


def hold_out_items(data: Dataset, *, share: float = 0.1, seed: int = 0) -> ColdStart:
    """Hold out `share` of all items, drawn by `seed`: all their interactions become test, and test has no others.

    Train and validation keep those of the other items. Users left without train keep their row, for ids and shape stay
    as they are, but nothing in any part, so they are not evaluated. BadInput when no item or every item is held out, or
    nothing is left to learn from.
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
    taken = (data.train + data.valid + data.test).tocsr()  # no pair is in two of them, so of ones
    sequences = None if data.sequences is None else data.sequences.take(~cold[data.sequences.items])
    valid, test = _part(data.valid, trained, ~cold), _part(taken, trained, cold)
    found = replace(data, train=train, valid=valid, test=test, sequences=sequences)
    warm_test = _part(data.test, everybody, ~cold).nnz
    kept = found.train.nnz + found.valid.nnz + found.test.nnz
    before = np.diff(taken.indptr) > 0
    return ColdStart(found, items, warm_test, taken.nnz - warm_test - kept, int((before & ~trained).sum()))


def _part(matrix: sparse.csr_matrix, users: np.ndarray, items: np.ndarray) -> sparse.csr_matrix:
    """The entries of the users and items in both masks; the shape stays."""
    entries = matrix.tocoo()
    kept = users[entries.row] & items[entries.col]
    found = sparse.csr_matrix((entries.data[kept], (entries.row[kept], entries.col[kept])), shape=matrix.shape)
    found.sort_indices()
    return found
