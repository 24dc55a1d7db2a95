"""The input of a recommender: interaction matrices, the ids of their rows and columns, and features by modality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import scipy  # its parts are imported when they are used

from tasks.data.interactions import Interactions
from tasks.data.sequences import Sequences, sequences_of
from tasks.data.splits import labels_of
from tasks.errors import BadInput

PARTS = ("train", "valid", "test")  # labels 0, 1, 2


@dataclass(frozen=True)
class Dataset:
    """A prepared dataset; its consistency is checked when it is created.

    `train`, `valid`, `test`: (users, items) CSR float32 of ones with sorted indices, no pair in two of them.
    `user_ids`, `item_ids`: the user's own ids of rows and columns. `features`: modality -> (items, width) float32, row
    i of item i; a row of zeros is an item that lacks the modality, and no encoder gives one (`check-embeddings`).
    `sequences`: the interactions of train in order of time, with their times; None where the log has none.
    """

    name: str
    train: scipy.sparse.csr_matrix
    valid: scipy.sparse.csr_matrix
    test: scipy.sparse.csr_matrix
    user_ids: np.ndarray
    item_ids: np.ndarray
    features: Mapping[str, np.ndarray] = field(default_factory=dict)
    sequences: Sequences | None = None

    def __post_init__(self) -> None:
        for kind in ("user", "item"):
            ids = getattr(self, f"{kind}_ids")
            if repeated := len(ids) - len(np.unique(ids)):
                raise BadInput(f"{self.name} has {repeated} {kind} ids more than once, expected each once")
        for part in PARTS:
            self._check_matrix(part)
        if not self.train.nnz:
            raise BadInput(f"{self.name} has no interaction to learn from, expected at least one in train")
        for left, right in combinations(PARTS, 2):
            if common := getattr(self, left).multiply(getattr(self, right)).nnz:
                raise BadInput(
                    f"{self.name} has {common} pairs both in {left} and {right}, expected each in one of them"
                )
        for modality in self.features:
            self._check_features(modality)
        if self.sequences is not None:
            self._check_sequences(self.sequences)

    @property
    def shape(self) -> tuple[int, int]:
        """(users, items)."""
        return len(self.user_ids), len(self.item_ids)

    def _check_matrix(self, part: str) -> None:
        matrix = getattr(self, part)
        if matrix.shape != self.shape:
            raise BadInput(
                f"{part} of {self.name} has shape {matrix.shape}, expected {self.shape} by its user and item ids"
            )
        if matrix.format != "csr" or matrix.dtype != np.float32 or not (matrix.data == 1).all():
            raise BadInput(f"{part} of {self.name} is {matrix.format} of {matrix.dtype}, expected csr of float32 ones")
        if not matrix.has_canonical_format:
            raise BadInput(f"{part} of {self.name} has indices out of order or repeated, expected neither")

    def _check_features(self, modality: str) -> None:
        matrix, items = self.features[modality], len(self.item_ids)
        if matrix.ndim != 2 or len(matrix) != items or not matrix.shape[1]:
            raise BadInput(
                f"{modality} features of {self.name} have shape {matrix.shape}, expected {items} rows, one an item"
            )
        if matrix.dtype != np.float32:
            raise BadInput(f"{modality} features of {self.name} are {matrix.dtype}, expected float32")
        bad = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
        if len(bad):
            raise BadInput(
                f"{modality} features of {self.name} are not finite in {len(bad)} rows, first of item "
                f"{str(self.item_ids[bad[0]])!r}, expected finite numbers"
            )

    def _check_sequences(self, sequences: Sequences) -> None:
        users, items = self.shape
        if len(sequences) != users or sequences.seconds is None:
            times = "without" if sequences.seconds is None else "with"
            raise BadInput(f"{self.name} has {len(sequences)} sequences {times} times, expected {users} with times")
        rows, train = sequences.matrix(items), self.train
        if not np.array_equal(rows.indptr, train.indptr) or not np.array_equal(rows.indices, train.indices):
            raise BadInput(f"sequences of {self.name} hold other interactions than its train, expected the same")


def learn_all(interactions: Interactions) -> Interactions:
    """The same log with every row in train, for a model that is served: nothing is held out."""
    return interactions.with_labels(np.zeros(len(interactions), dtype=np.int8))


def dataset_of(name: str, interactions: Interactions, features: Mapping[str, np.ndarray]) -> Dataset:
    """Return a Dataset from a labelled log whose codes are row and column numbers."""
    labels = labels_of(interactions)
    shape = (len(interactions.user_ids), len(interactions.item_ids))

    def matrix(label: int) -> scipy.sparse.csr_matrix:
        rows = labels == label
        ones = np.ones(int(rows.sum()), dtype=np.float32)
        part_matrix = scipy.sparse.csr_matrix((ones, (interactions.users[rows], interactions.items[rows])), shape=shape)
        part_matrix.sort_indices()
        if part_matrix.nnz != len(ones):
            part, repeated = PARTS[label], len(ones) - part_matrix.nnz
            raise BadInput(f"{part} of {name} has {repeated} repeated pairs of user and item, expected each pair once")
        return part_matrix

    return Dataset(
        name=name,
        train=matrix(0),
        valid=matrix(1),
        test=matrix(2),
        user_ids=interactions.user_ids,
        item_ids=interactions.item_ids,
        features=dict(features),
        sequences=sequences_of(interactions),
    )
