"""Split rules: interactions for training, for selection (validation) and for reporting (test)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tasks.data.interactions import Interactions
from tasks.data.kcore import k_core_rows
from tasks.data.order import order_within, places
from tasks.errors import BadInput

TRAIN, VALID, TEST = np.int8(0), np.int8(1), np.int8(2)


@dataclass(frozen=True)
class LabelledLog:
    """A labelled log, and the rows, users and items that were moved or lost by labelling."""

    interactions: Interactions
    moved_to_train: int  # rows of users or items without a training row, and rows that follow them
    dropped: int  # rows removed because moving them would leak the future
    users_lost: int  # removed with those rows
    items_lost: int

    @property
    def users_unmeasured(self) -> int:
        """Users without a row in valid or test: they are in training, but in no metric."""
        withheld = self.interactions.users[labels_of(self.interactions) != TRAIN]
        return int((np.bincount(withheld, minlength=len(self.interactions.user_ids)) == 0).sum())


def split(interactions: Interactions, method: str, *, seed: int, k: int) -> LabelledLog:
    """Label the log by one of SPLITS; afterwards every user and item has at least one training row.

    For users and items without a training row, `random` and `leave-one-out` move a row to train, the latter without
    training on a user's future. `time` would leak the future and `given` must not be changed, so they drop such users
    and items, and then all that is outside the k-core, until nothing changes. Labels depend on the seed and on the
    codes of users and items, not on the order of the rows. Raises BadInput for repeated pairs and if a part is empty.
    """
    if method not in SPLITS:
        raise BadInput(f"split {method!r} found, expected one of {', '.join(SPLITS)}")
    order = order_within(interactions.users, interactions.items)
    if order is None:
        raise BadInput("a user has the same item more than once, expected each pair once")
    label, may_move = SPLITS[method]
    labels = label(interactions, order, np.random.default_rng(seed))
    ordered = label is leave_one_out
    if may_move:
        labelled = _move(interactions, labels, order, ordered=ordered)
    else:
        labelled = _drop(interactions.with_labels(labels), k)
    present = np.bincount(labels_of(labelled.interactions), minlength=3)
    if not present.all():
        raise BadInput(
            f"the {method} split of {len(interactions)} interactions gives {present.tolist()} rows of train, valid and "
            "test, expected some of each: give more data or another split"
        )
    return labelled


def by_user_at_random(interactions: Interactions, order: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Split 8:1:1 within each user by the rule of MMRec's published splits.

    The rows of a user are shuffled. If n < 10, the last two are valid and test; else, with v = int(0.2 n), the first
    n - v are train, the next v // 2 valid, the rest test.
    """
    draw = np.empty(len(order), dtype=order.dtype)
    draw[order] = rng.permutation(len(order))
    place, size = places(interactions.users, _distinct(order_within(interactions.users, draw)))
    held = np.where(size < 10, 2, size * 2 // 10)
    return _labels(place - size + held, held // 2)


def leave_one_out(interactions: Interactions, order: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Label the last interaction of each user test and the one before it valid; ties are ordered by item number."""
    del rng
    times = _times(interactions, "leave-one-out")
    rank = np.empty(len(order), dtype=order.dtype)
    rank[order[np.argsort(times[order], kind="stable")]] = np.arange(len(order))
    place, size = places(interactions.users, _distinct(order_within(interactions.users, rank)))
    return _labels(place - size + 2, np.ones_like(size))


def by_time(interactions: Interactions, order: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Split all interactions by time: the first 80 % are train, the next 10 % valid, the rest test, for all users."""
    del order, rng
    times = _times(interactions, "time")
    cuts = [len(times) * 8 // 10, len(times) * 9 // 10]  # first row of valid and of test, in order of time
    first, second = np.partition(times, cuts)[cuts]
    return np.where(times < first, TRAIN, np.where(times < second, VALID, TEST))


def given(interactions: Interactions, order: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the labels that came with the log."""
    del order, rng
    return labels_of(interactions)


SPLITS: dict[str, tuple[Callable[[Interactions, np.ndarray, np.random.Generator], np.ndarray], bool]] = {
    "random": (by_user_at_random, True),
    "leave-one-out": (leave_one_out, True),
    "time": (by_time, False),
    "given": (given, False),
}


def require_columns(interactions: Interactions, method: str) -> None:
    """Raise BadInput unless the log has what a split needs, before hours are spent on media."""
    if method == "given":
        labels_of(interactions)
    elif method != "random":
        _times(interactions, method)


def labels_of(interactions: Interactions) -> np.ndarray:
    """Return (n,) int8 labels; raises BadInput if the log has none."""
    if interactions.labels is None:
        raise BadInput("a log without labels found, expected 0 (train), 1 (valid) or 2 (test) in a column x_label")
    return interactions.labels


def _labels(past: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Label rows by their distance `past` (n,) from the end of train: < 0 train, < `valid` (n,) valid, else test."""
    return np.where(past < 0, TRAIN, np.where(past < valid, VALID, TEST))


def _distinct(order: np.ndarray | None) -> np.ndarray:
    if order is None:
        raise BadInput("a user has the same rank more than once, expected ranks that differ")
    return order


def _times(interactions: Interactions, method: str) -> np.ndarray:
    if interactions.timestamps is None:
        raise BadInput(
            f"split {method!r} found for a log without timestamps, expected them (load the log with "
            "--timestamp-column) or the split 'random'"
        )
    return interactions.timestamps


def _move(interactions: Interactions, before: np.ndarray, order: np.ndarray, *, ordered: bool) -> LabelledLog:
    """Move a row to train for every user and item that has none: the first by user and item number.

    `ordered` labels mean that each user's valid row is before the test row. Then a valid row is preferred, and when a
    test row moves, its user's valid row moves too, so that no training row of a user is after a held-out one.
    """
    labels = before.copy()
    if ordered:
        order = order[np.argsort(before[order], kind="stable")]
    for codes, ids in ((interactions.users, interactions.user_ids), (interactions.items, interactions.item_ids)):
        untrained = np.bincount(codes[labels == TRAIN], minlength=len(ids)) == 0
        if untrained.any():
            rows = order[untrained[codes[order]]]
            _, first = np.unique(codes[rows], return_index=True)
            labels[rows[first]] = TRAIN
    if ordered:
        learned = interactions.users[(before == TEST) & (labels == TRAIN)]
        labels[np.isin(interactions.users, learned) & (labels == VALID)] = TRAIN
    moved = int((labels != before).sum())
    return LabelledLog(interactions.with_labels(labels), moved_to_train=moved, dropped=0, users_lost=0, items_lost=0)


def _drop(interactions: Interactions, k: int) -> LabelledLog:
    """Drop users and items without a training row, and rows outside the k-core, until nothing changes."""
    kept = interactions
    while True:
        labels = labels_of(kept)
        keep = np.ones(len(kept), dtype=bool)
        for codes, ids in ((kept.users, kept.user_ids), (kept.items, kept.item_ids)):
            keep &= (np.bincount(codes[labels == TRAIN], minlength=len(ids)) > 0)[codes]
        if keep.all():
            break
        keep[keep] = k_core_rows(kept.users[keep], kept.items[keep], k)
        if not keep.any():
            raise BadInput(
                f"nothing is left of {len(interactions)} interactions without the users and items that have no row of "
                f"train, and then outside the {k}-core, expected some: give more data or another split"
            )
        kept = kept.take(keep)
    lost = {kind: interactions.counts[kind] - kept.counts[kind] for kind in ("users", "items")}
    dropped = len(interactions) - len(kept)
    return LabelledLog(kept, moved_to_train=0, dropped=dropped, users_lost=lost["users"], items_lost=lost["items"])
