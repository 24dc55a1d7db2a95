"""What a recommender is given: three matrices of interactions, the ids of their rows and columns, and features by modality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from tasks.data.interactions import Interactions
from tasks.errors import BadInput


@dataclass(frozen=True)
class Dataset:
    """A prepared dataset; that everything in it belongs together is checked when it is made.

    `train`, `valid`, `test`: (users, items) CSR float32 of ones with sorted indices. `user_ids`, `item_ids`: the user's own
    ids of the rows and columns. `features`: modality -> (items, width) float32, row i of which is item i.
    """

    name: str
    train: sparse.csr_matrix
    valid: sparse.csr_matrix
    test: sparse.csr_matrix
    user_ids: np.ndarray
    item_ids: np.ndarray
    features: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = (len(self.user_ids), len(self.item_ids))
        for split in ("train", "valid", "test"):
            matrix = getattr(self, split)
            if matrix.shape != shape:
                raise BadInput(
                    f"{split} of {self.name} has shape {matrix.shape}, expected {shape} by its user and item ids"
                )
        if not self.train.nnz:
            raise BadInput(f"{self.name} has no interaction to learn from, expected at least one in train")
        for kind in ("user", "item"):
            ids = getattr(self, f"{kind}_ids")
            if len(np.unique(ids)) != len(ids):
                raise BadInput(
                    f"{self.name} has {len(ids) - len(np.unique(ids))} {kind} ids more than once, expected each once"
                )
        for modality, matrix in self.features.items():
            if matrix.ndim != 2 or len(matrix) != shape[1]:
                raise BadInput(
                    f"{modality} features of {self.name} have shape {matrix.shape}, expected ({shape[1]}, width): one row an item"
                )
            if matrix.dtype != np.float32:
                raise BadInput(f"{modality} features of {self.name} are {matrix.dtype}, expected float32")
            bad = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
            if len(bad):
                raise BadInput(
                    f"{modality} features of {self.name} are not finite in {len(bad)} rows, first of item "
                    f"{self.item_ids[bad[0]]!r}, expected finite numbers"
                )

    @property
    def shape(self) -> tuple[int, int]:
        """(users, items)."""
        return len(self.user_ids), len(self.item_ids)


def dataset_of(name: str, interactions: Interactions, features: Mapping[str, np.ndarray]) -> Dataset:
    """A Dataset from a labelled log whose codes are row and column numbers already."""
    if interactions.labels is None:
        raise BadInput(f"the log of {name} has no labels, expected 0 (train), 1 (valid) and 2 (test)")
    shape = (len(interactions.user_ids), len(interactions.item_ids))

    labels = interactions.labels

    def matrix(label: int) -> sparse.csr_matrix:
        rows = np.equal(labels, label)
        ones = np.ones(int(rows.sum()), dtype=np.float32)
        found = sparse.csr_matrix((ones, (interactions.users[rows], interactions.items[rows])), shape=shape)
        if found.nnz != len(ones) or (found.nnz and found.data.max() > 1):
            raise BadInput(f"the log of {name} has the same user and item more than once, expected each pair once")
        found.sort_indices()
        return found

    return Dataset(
        name=name,
        train=matrix(0),
        valid=matrix(1),
        test=matrix(2),
        user_ids=interactions.user_ids,
        item_ids=interactions.item_ids,
        features=dict(features),
    )
