"""Rows that are added to a log."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.data import Interactions
from tasks.data.append import append_rows
from tasks.errors import BadInput
from tests.data.logs import Pair, log_of, pairs

Row = tuple[Pair, int]
COLUMNS = st.sampled_from(["neither", "times", "labels", "both"])


def label_of(pair: Pair) -> int:
    """The label that a pair has wherever it stands."""
    return (pair[0] + pair[1]) % 3


def read(rows: list[Row], columns: str) -> Interactions:
    """Return the log of `rows` as loading makes it: each pair once, at its earliest time, in their order."""
    times: dict[Pair, int] = {}
    for pair, time in rows:
        times[pair] = min(time, times.get(pair, time))
    return log_of(
        list(times),
        times=list(times.values()) if columns in {"times", "both"} else None,
        labels=[label_of(pair) for pair in times] if columns in {"labels", "both"} else None,
    )


def content(log: Interactions) -> list[tuple[object, ...]]:
    """The rows of a log by their ids, in order."""
    columns = [log.user_ids[log.users], log.item_ids[log.items]]
    columns += [column for column in (log.timestamps, log.labels) if column is not None]
    return list(zip(*(column.tolist() for column in columns), strict=True))


ROWS = st.lists(st.tuples(st.tuples(st.integers(0, 12), st.integers(0, 12)), st.integers(-3, 3)), min_size=1)


@given(ROWS, COLUMNS, st.data())
def test_the_same_rows_give_the_same_log_in_whatever_parts_and_order_they_come(
    rows: list[Row], columns: str, data: st.DataObject
) -> None:
    """One log of all rows, with other rows of the same pairs, has the same content."""
    whole = read(rows, columns)
    expected = append_rows(whole, whole).interactions
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=4)))
    mixed = data.draw(st.permutations(rows))
    parts = [mixed[start:end] for start, end in zip([0, *cuts], [*cuts, len(rows)], strict=True)]
    first, *others = [read(part, columns) for part in parts if part]
    made = append_rows(first, first).interactions
    for part in others:
        made = append_rows(made, part).interactions
    assert content(made) == content(expected)
    assert made.user_ids.tolist() == expected.user_ids.tolist()
    assert made.item_ids.tolist() == expected.item_ids.tolist()
    assert set(content(whole)) == set(content(expected))


@given(ROWS, ROWS, COLUMNS)
def test_every_new_row_is_new_repeated_or_contradicting(before: list[Row], after: list[Row], columns: str) -> None:
    """What they are is found pair by pair."""
    log, new = read(before, columns), read(after, columns)
    made = append_rows(log, new)
    timed = columns in {"times", "both"}
    there = {row[:2]: row[2] if timed else 0 for row in content(log)}
    given = {row[:2]: row[2] if timed else 0 for row in content(new)}
    other = [pair for pair in given if pair in there and given[pair] != there[pair]]
    assert made.added == len([pair for pair in given if pair not in there])
    assert made.contradicting == len(other)
    assert made.earlier == len([pair for pair in other if given[pair] < there[pair]])  # type: ignore[operator]
    assert made.added + made.repeated + made.contradicting == len(new)
    assert made.changed == (set(content(made.interactions)) != set(content(log)))
    assert len(made.interactions) == len(set(there) | set(given))


@given(pairs(), pairs(), st.booleans())
def test_rows_are_sorted_by_user_and_item(first: list[Pair], second: list[Pair], timed: bool) -> None:
    """So the file's hash identifies the rows; items 0, 10, 20, ... are sorted as numbers."""
    logs = [log_of(part, times=list(range(len(part))) if timed else None) for part in (first, second)]
    made = append_rows(*logs).interactions
    keys = [(user, int(item)) for user, item, *_ in content(made)]  # type: ignore[call-overload]
    assert keys == sorted(keys)


def test_two_times_of_a_pair_are_named_and_the_earlier_is_kept() -> None:
    """A few of them, with both times; one beyond the calendar as a number."""
    log = log_of([(0, 0), (0, 1), (1, 0), (2, 0), (3, 3)], times=[0, 60, 5, 7, 9])
    made = append_rows(log, log_of([(0, 0), (0, 1), (1, 0), (2, 0), (3, 3)], times=[60, 0, 10**18, 8, 9]))
    assert (made.added, made.repeated, made.contradicting, made.earlier) == (0, 1, 4, 1)
    assert made.interactions.timestamps is not None
    assert made.interactions.timestamps.tolist() == [0, 0, 5, 7, 9]
    assert made.examples == (
        "user 'u0' with item '0' at 1970-01-01T00:00:00Z in the log and at 1970-01-01T00:01:00Z now; "
        "user 'u0' with item '10' at 1970-01-01T00:01:00Z in the log and at 1970-01-01T00:00:00Z now; "
        "user 'u1' with item '0' at 1970-01-01T00:00:05Z in the log and at 1000000000000000000 now"
    )


def test_two_labels_of_a_pair_are_refused() -> None:
    """Which of them is meant cannot be known, and a test row that becomes a training row would spoil all metrics."""
    log = log_of([(0, 0), (0, 1)], labels=[0, 1])
    with pytest.raises(BadInput, match=r"1 pairs .*\(user 'u0' with item '10' has 1 in the log and 2 now\), expected"):
        append_rows(log, log_of([(0, 1), (5, 5)], labels=[2, 0]))


@pytest.mark.parametrize(
    ("log", "new", "message"),
    [
        ({"times": [1]}, {}, r"the log found with times and the new rows without, expected both.*--timestamp-column"),
        ({}, {"times": [1]}, r"the new rows found with times and the log without, expected both.*--no-timestamp"),
        ({"labels": [1]}, {}, "the log found with labels and the new rows without"),
        ({"times": [1]}, {"times": [1], "labels": [1]}, "the new rows found with labels and the log without"),
    ],
)
def test_columns_that_only_one_has_are_refused(
    log: dict[str, list[int]], new: dict[str, list[int]], message: str
) -> None:
    """A log has times for all of its rows, or for none."""
    with pytest.raises(BadInput, match=message):
        append_rows(log_of([(0, 0)], **log), log_of([(1, 1)], **new))


def test_ids_of_any_width_are_joined() -> None:
    """The vocabularies are arrays as wide as their longest id."""
    wide = Interactions(
        np.zeros(1, np.int32), np.zeros(1, np.int32), np.array(["a much longer name"]), np.array(["a longer film"])
    )
    made = append_rows(log_of([(0, 0)]), wide).interactions
    assert content(made) == [("a much longer name", "a longer film"), ("u0", "0")]
