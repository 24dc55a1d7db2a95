"""A Dataset is consistent, or cannot be created."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from scipy import sparse

from tasks.data import Dataset, Interactions, dataset_of, in_order
from tasks.errors import BadInput
from tests.data.logs import Pair, log_of, pairs


def sound() -> Dataset:
    """Return the arguments of a dataset with two users, three items and two modalities."""
    log = log_of([(0, 0), (0, 1), (1, 1), (1, 2), (0, 2)], labels=[0, 0, 0, 1, 2])
    features = {"image": np.ones((3, 4), np.float32), "text": np.arange(6, dtype=np.float32).reshape(3, 2)}
    return dataset_of("films", in_order(log), features)


@given(pairs())
def test_matrices_hold_exactly_the_labelled_pairs(log: list[Pair]) -> None:
    """Each part has ones exactly at the log's rows with its label."""
    labels = [(3 * user + item) % 3 for user, item in log]
    assume(0 in labels)
    labelled = log_of(log, labels=labels)
    data = dataset_of("films", labelled, {})
    assert data.shape == (len(labelled.user_ids), len(labelled.item_ids))
    rows = zip(labelled.users.tolist(), labelled.items.tolist(), labels, strict=True)
    expected: dict[int, set[Pair]] = {0: set(), 1: set(), 2: set()}
    for user, item, label in rows:
        expected[label].add((user, item))
    for label, matrix in enumerate((data.train, data.valid, data.test)):
        entries = matrix.tocoo()
        assert set(zip(entries.row.tolist(), entries.col.tolist(), strict=True)) == expected[label]
        assert matrix.dtype == np.float32
        assert matrix.has_sorted_indices
        assert (matrix.data == 1).all()


def test_features_and_ids_are_kept() -> None:
    """Row i of the features is that of item i, by external id."""
    data = sound()
    assert data.item_ids.tolist() == ["0", "10", "20"]
    assert data.features["text"][1].tolist() == [2, 3]


def matrix(values: list[list[float]], kind: type[np.generic] = np.float32) -> sparse.csr_matrix:
    """Return a sparse matrix."""
    return sparse.csr_matrix(np.array(values, dtype=kind))


def unsorted() -> sparse.csr_matrix:
    """Return a matrix with unsorted indices in a row."""
    ones = np.ones(2, np.float32)
    return sparse.csr_matrix((ones, np.array([1, 0]), np.array([0, 2, 2])), shape=(2, 3))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": matrix([[1, 0], [0, 1]])}, "train of films has shape (2, 2), expected (2, 3)"),
        ({"train": matrix([[0, 0, 0], [0, 0, 0]])}, "has no interaction to learn from"),
        ({"train": matrix([[2, 0, 0], [0, 1, 0]])}, "train of films is csr of float32, expected csr of float32 ones"),
        ({"valid": matrix([[0, 0, 0], [0, 0, 1]], np.float64)}, "valid of films is csr of float64"),
        ({"valid": matrix([[0, 0, 0], [0, 0, 1]]).tocsc()}, "valid of films is csc of float32"),
        ({"train": unsorted()}, "out of order or repeated"),
        ({"test": matrix([[1, 0, 1], [0, 0, 0]])}, "has 1 pairs both in train and test"),
        ({"valid": matrix([[1, 1, 0], [0, 0, 0]])}, "has 2 pairs both in train and valid"),
        ({"test": matrix([[0, 0, 1], [0, 0, 1]])}, "has 1 pairs both in valid and test"),
        ({"user_ids": np.array(["u", "u"])}, "has 1 user ids more than once"),
        ({"item_ids": np.array(["a", "b", "a"])}, "has 1 item ids more than once"),
        ({"item_ids": np.array(["a", "b"])}, "has shape (2, 3), expected (2, 2) by its user and item ids"),
        (
            {"features": {"text": np.ones((2, 4), np.float32)}},
            "text features of films have shape (2, 4), expected 3 rows",
        ),
        ({"features": {"text": np.ones((3, 0), np.float32)}}, "have shape (3, 0)"),
        ({"features": {"text": np.ones(3, np.float32)}}, "have shape (3,)"),
        ({"features": {"text": np.ones((3, 2))}}, "text features of films are float64, expected float32"),
        (
            {"features": {"text": np.array([[1, 1], [1, np.nan], [np.inf, 1]], np.float32)}},
            "not finite in 2 rows, first of item '10'",
        ),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(changes: dict[str, object], message: str) -> None:
    """Shapes, values, order, overlaps, ids and features are checked, and the message says what was found."""
    with pytest.raises(BadInput, match=re.escape(message)):
        replace(sound(), **changes)


def test_a_log_with_a_repeated_pair_makes_no_dataset() -> None:
    """A repeated pair in train would count twice."""
    with pytest.raises(BadInput, match="train of films has 1 repeated pairs of user and item"):
        dataset_of("films", log_of([(0, 0), (1, 1), (0, 0)], labels=[0, 0, 0]), {})


def test_a_log_without_labels_makes_no_dataset() -> None:
    """No rows are silently used as train."""
    log: Interactions = log_of([(0, 0)])
    with pytest.raises(BadInput, match="without labels"):
        dataset_of("films", log, {})
