"""Logs for tests: written by hand, or drawn by hypothesis."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from tasks.data import Interactions

Pair = tuple[int, int]


def log_of(pairs: list[Pair], *, times: list[int] | None = None, labels: list[int] | None = None) -> Interactions:
    """Return a log of `pairs` of numbers; users are u0, u1, ..., items 0, 10, 20, ..., ids in order of appearance."""
    users, user_codes = np.unique([user for user, _ in pairs], return_inverse=True)
    items, item_codes = np.unique([item for _, item in pairs], return_inverse=True)
    return Interactions(
        users=user_codes.astype(np.int32),
        items=item_codes.astype(np.int32),
        user_ids=np.array([f"u{user}" for user in users.tolist()], dtype=np.str_),
        item_ids=np.array([str(10 * item) for item in items.tolist()], dtype=np.str_),
        timestamps=None if times is None else np.array(times, dtype=np.int64),
        labels=None if labels is None else np.array(labels, dtype=np.int8),
    )


def named(log: Interactions) -> set[tuple[str, str]]:
    """Return the pairs of a log as ids."""
    return set(zip(log.user_ids[log.users].tolist(), log.item_ids[log.items].tolist(), strict=True))


def split_by_name(log: Interactions) -> dict[tuple[str, str], int]:
    """Return pair of ids -> label."""
    assert log.labels is not None
    users, items = log.user_ids[log.users].tolist(), log.item_ids[log.items].tolist()
    return dict(zip(zip(users, items, strict=True), log.labels.tolist(), strict=True))


def pairs(users: int = 12, items: int = 12, least: int = 1) -> st.SearchStrategy[list[Pair]]:
    """Draw distinct pairs of a few users and items, in any order."""
    one = st.tuples(st.integers(0, users - 1), st.integers(0, items - 1))
    return st.lists(one, min_size=least, max_size=users * items, unique=True)


def dense(users: int, items: int, seed: int, share: float = 0.7) -> list[Pair]:
    """Return a seeded random subset of all pairs, in random order."""
    rng = np.random.default_rng(seed)
    drawn = rng.random(users * items)
    chosen = rng.permutation(np.flatnonzero(drawn < max(share, drawn.min() + 1e-9)))  # never empty
    return [(int(place) // items, int(place) % items) for place in chosen]
