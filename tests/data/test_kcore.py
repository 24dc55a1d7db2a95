"""The k-core, compared with its definition."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.data import k_core
from tasks.data.kcore import k_core_rows
from tasks.errors import BadInput
from tests.data.logs import Pair, log_of, named, pairs


def by_definition(pairs: set[Pair], k: int) -> set[Pair]:
    """Remove one user or item at a time."""
    while True:
        users, items = Counter(user for user, _ in pairs), Counter(item for _, item in pairs)
        poor = next((pair for pair in pairs if users[pair[0]] < k or items[pair[1]] < k), None)
        if poor is None:
            return pairs
        pairs = pairs - {poor}


def rows(log: list[Pair], k: int) -> np.ndarray:
    """Return the rows of the k-core."""
    users, items = (np.array(column, dtype=np.int32) for column in zip(*log, strict=True))
    return k_core_rows(users, items, k)


@given(pairs(), st.integers(1, 6))
def test_what_is_left_is_the_largest_core(log: list[Pair], k: int) -> None:
    """It equals the result of removing one user or item at a time, in any order of rows."""
    kept = rows(log, k)
    assert {pair for pair, keep in zip(log, kept, strict=True) if keep} == by_definition(set(log), k)


@given(pairs(least=20), st.integers(1, 4))
def test_everybody_left_has_k_and_a_second_time_changes_nothing(log: list[Pair], k: int) -> None:
    """Users and items of the core have at least k rows each, and the core of the core is the core."""
    if not rows(log, k).any():
        with pytest.raises(BadInput, match=rf"nothing is left of {len(log)} interactions in a {k}-core"):
            k_core(log_of(log), k)
        return
    core = k_core(log_of(log), k)
    assert np.bincount(core.users).min() >= k
    assert np.bincount(core.items).min() >= k
    assert named(k_core(core, k)) == named(core)


def test_one_departure_can_take_all_with_it() -> None:
    """A chain of users and items that depend on each other is removed completely, also from the vocabularies."""
    chain = [(n, n) for n in range(50)] + [(n, n + 1) for n in range(50)]
    block = [(100 + n, 200 + m) for n in range(2) for m in range(2)]
    core = k_core(log_of(chain + block), 2)
    assert named(core) == named(log_of(block))
    assert core.counts == {"interactions": 4, "users": 2, "items": 2}


def test_rows_keep_their_order_and_their_columns() -> None:
    """Times and labels stay with their rows."""
    log = [(0, 0), (9, 9), (1, 1), (0, 1), (1, 0)]
    core = k_core(log_of(log, times=[5, 4, 3, 2, 1], labels=[0, 1, 2, 0, 1]), 2)
    assert core.timestamps is not None
    assert core.labels is not None
    assert core.timestamps.tolist() == [5, 3, 2, 1]
    assert core.labels.tolist() == [0, 2, 0, 1]
