"""The training interactions of each user, in order of time."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tasks.data import Dataset, Interactions, Sequences, dataset_of, hold_out_items
from tasks.errors import BadInput
from tests.data.logs import Pair, log_of, pairs

TIMES = st.sampled_from([-3, 0, 1, 2, 2**40])  # few, so that many are equal


@st.composite
def timed_logs(draw: st.DrawFn) -> Interactions:
    """Labelled logs with times, at least one row of train; some users may have none."""
    drawn: list[Pair] = draw(pairs(6, 8, least=2))
    several = {"min_size": len(drawn), "max_size": len(drawn)}
    labels = draw(st.lists(st.integers(0, 2), **several))
    assume(0 in labels)
    return log_of(drawn, times=draw(st.lists(TIMES, **several)), labels=labels)


def by_user(log: Interactions) -> list[list[tuple[int, int]]]:
    """(item, second) of each user's rows of train: picked one by one, and sorted by time as Python sorts, stably."""
    assert log.timestamps is not None
    assert log.labels is not None
    found: list[list[tuple[int, int]]] = [[] for _ in log.user_ids]
    for user, item, second, label in zip(log.users, log.items, log.timestamps, log.labels, strict=True):
        if label == 0:
            found[user].append((int(item), int(second)))
    return [sorted(rows, key=lambda row: row[1]) for rows in found]


def as_lists(sequences: Sequences) -> list[list[tuple[int, int]]]:
    """(item, second) of each user."""
    assert sequences.seconds is not None
    rows = list(zip(sequences.items.tolist(), sequences.seconds.tolist(), strict=True))
    return [rows[start:end] for start, end in zip(sequences.starts[:-1], sequences.starts[1:], strict=True)]


def sequences_in(data: Dataset) -> Sequences:
    """Those of a dataset that has them."""
    assert data.sequences is not None
    return data.sequences


@given(timed_logs())
def test_each_user_has_the_rows_of_train_in_order_of_time(log: Interactions) -> None:
    """Equal times stay in the order of the log; users without rows have an empty history; arrays are int64."""
    found = sequences_in(dataset_of("films", log, {}))
    assert as_lists(found) == by_user(log)
    assert len(found) == len(log.user_ids)
    assert found.seconds is not None
    assert {array.dtype for array in (found.starts, found.items, found.seconds)} == {np.dtype(np.int64)}


@given(timed_logs())
def test_they_hold_what_train_holds_and_nothing_of_valid_and_test(log: Interactions) -> None:
    """As sets of each user; what is withheld is in none."""
    data = dataset_of("films", log, {})
    matrix = sequences_in(data).matrix(data.shape[1])
    np.testing.assert_array_equal(matrix.toarray(), data.train.toarray())
    assert matrix.has_canonical_format
    assert not matrix.multiply(data.valid + data.test).nnz


@given(timed_logs(), st.sampled_from(["valid", "test"]))
def test_a_withheld_row_cannot_enter(log: Interactions, part: str) -> None:
    """Sequences with a row of valid or test, as of a split with other labels, make no dataset."""
    assert log.labels is not None
    leaked = log.labels == {"valid": 1, "test": 2}[part]
    assume(leaked.any())
    leaking = dataset_of("films", log.with_labels(np.where(leaked, 0, log.labels)), {})
    with pytest.raises(BadInput, match="sequences of films hold other interactions than its train"):
        replace(dataset_of("films", log, {}), sequences=leaking.sequences)


def test_equal_times_keep_the_order_of_the_log() -> None:
    """Not that of the items' numbers, also where rows of other users lie between."""
    log = log_of([(0, 2), (1, 0), (0, 0), (1, 3), (0, 1)], times=[5, 5, 5, 4, 1], labels=[0] * 5)
    assert as_lists(sequences_in(dataset_of("films", log, {}))) == [[(1, 1), (2, 5), (0, 5)], [(3, 4), (0, 5)]]


def test_a_log_without_times_has_none() -> None:
    """No order is made up."""
    assert dataset_of("films", log_of([(0, 0), (1, 1)], labels=[0, 0]), {}).sequences is None


def small() -> Dataset:
    """Two users, three items; user u0 interacted with 1 and then 0."""
    log = log_of([(0, 0), (0, 1), (1, 1), (1, 2), (0, 2)], times=[9, 3, 4, 5, 6], labels=[0, 0, 0, 1, 2])
    return dataset_of("films", log, {})


def test_they_cannot_be_changed() -> None:
    """Neither the arrays nor their names."""
    found = sequences_in(small())
    for array in (found.starts, found.items, found.seconds):
        assert array is not None
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(FrozenInstanceError):
        found.items = found.starts  # type: ignore[misc]


def integers(*values: int) -> np.ndarray:
    """(n,) int64."""
    return np.array(values, dtype=np.int64)


@pytest.mark.parametrize(
    ("starts", "items", "seconds", "message"),
    [
        ([0, 2, 3], [0, 1, 1], [9, 3, 4], "sequences of 2 users go back in time in row 0, expected the oldest first"),
        ([0, 0, 3], [1, 0, 1], [3, 9, 4], "go back in time in row 1"),
        ([0, 2, 3], [1, 0, 1], [3, 9], "sequences have 2 seconds for 3 items, expected one for each"),
        ([0, 2], [1, 0, 1], [3, 9, 4], "starts of sequences do not lead from 0 to their 3 items"),
        ([1, 2, 3], [1, 0, 1], [3, 9, 4], "starts of sequences do not lead from 0"),
        ([0, 4, 3], [1, 0, 1], [3, 9, 4], "starts of sequences do not lead from 0"),
        ([], [], [], "starts of sequences do not lead from 0 to their 0 items"),
        ([0, 3], [1, 0, 1], [3, 4, 9], "films has 1 sequences with times, expected 2 with times"),
        ([0, 2, 3], [1, 0, 1], None, "films has 2 sequences without times, expected 2 with times"),
        ([0, 1, 3], [1, 0, 1], [3, 4, 9], "sequences of films hold other interactions than its train"),
        ([0, 2, 3], [1, 1, 1], [3, 4, 9], "hold other interactions"),
        ([0, 2, 3], [1, 0, 2], [3, 4, 9], "hold other interactions"),
        ([0, 2, 3], [1, 0, 7], [3, 4, 9], "hold other interactions"),
        ([0, 2, 3], [1, 0, -1], [3, 4, 9], "hold other interactions"),
    ],
)
def test_sequences_that_do_not_belong_to_the_dataset_are_refused(
    starts: list[int], items: list[int], seconds: list[int] | None, message: str
) -> None:
    """Order, lengths and contents, each in one sentence; [0, 2, 3], [1, 0, 1], [3, 9, 4] would be right."""
    with pytest.raises(BadInput, match=re.escape(message)):
        replace(
            small(),
            sequences=Sequences(integers(*starts), integers(*items), None if seconds is None else integers(*seconds)),
        )


def test_numbers_of_another_type_are_refused() -> None:
    """Nothing is converted silently."""
    with pytest.raises(BadInput, match=re.escape("items of sequences are int32 of shape (2,), expected (n,) int64")):
        Sequences(integers(0, 2), np.array([0, 1], dtype=np.int32))


@given(timed_logs(), st.integers(0, 3))
def test_items_held_out_of_training_leave_the_sequences(log: Interactions, seed: int) -> None:
    """What stays keeps its order and its times."""
    data = dataset_of("films", log, {})
    try:
        cold = hold_out_items(data, share=0.4, seed=seed)
    except BadInput:
        assume(False)
    held = set(cold.items.tolist())
    expected = [[row for row in rows if row[0] not in held] for rows in by_user(log)]
    assert as_lists(sequences_in(cold.data)) == expected
