"""Train, validation and test: which interactions are learned from, which choose, which only report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tasks.data.interactions import Interactions
from tasks.data.kcore import k_core_rows
from tasks.errors import BadInput

TRAIN, VALID, TEST = np.int8(0), np.int8(1), np.int8(2)


@dataclass(frozen=True)
class Split:
    """A labelled log and what labelling it cost."""

    interactions: Interactions
    moved_to_train: int  # rows of users or items that would have had none to learn from
    dropped: int  # rows that went because nothing could be moved without leaking the future


def split(interactions: Interactions, method: str, *, seed: int, k: int) -> Split:
    """Label the log by one of SPLITS; afterwards every user and item has at least one row of train.

    `random` and `leave-one-out` move a row to train where there would be none; `time` and `given` may not (the first would
    learn from the future, the second is not ours to change), so they drop such users and items, and what no longer is in
    the k-core without them, until nothing changes.
    """
    if method not in SPLITS:
        raise BadInput(f"split {method!r} found, expected one of {', '.join(SPLITS)}")
    label, mend = SPLITS[method]
    labelled = interactions.with_labels(label(interactions, np.random.default_rng(seed)))
    found = _move(labelled) if mend else _drop(labelled, k)
    labels = found.interactions.labels
    present = np.bincount(labels, minlength=3) if labels is not None else np.zeros(3)
    if not present.all():
        raise BadInput(
            f"the {method} split of {len(interactions)} interactions gives {present.tolist()} of train, valid and test, "
            "expected some of each: give more data or another split"
        )
    return found


def by_user_at_random(interactions: Interactions, rng: np.random.Generator) -> np.ndarray:
    """8:1:1 within each user, as MMRec's published splits: n < 10 gives its last two to valid and test, else v = int(0.2 n).

    Depends on the seed and the set of interactions, not on the order of the rows.
    """
    canonical = np.lexsort((interactions.items, interactions.users))
    draw = np.empty(len(interactions))
    draw[canonical] = rng.random(len(interactions))
    place, size = _places(interactions.users, np.lexsort((draw, interactions.users)))
    held = np.where(size < 10, 2, (size * 2) // 10)
    valid = held // 2
    labels = np.full(len(interactions), TRAIN)
    labels[place >= size - held] = VALID
    labels[place >= size - held + valid] = TEST
    return labels


def leave_one_out(interactions: Interactions, rng: np.random.Generator) -> np.ndarray:
    """The last interaction of each user is test, the one before it valid; ties in time fall by the item's number."""
    del rng
    times = _times(interactions, "leave-one-out")
    order = np.lexsort((interactions.items, times, interactions.users))
    place, size = _places(interactions.users, order)
    labels = np.full(len(interactions), TRAIN)
    labels[place == size - 2] = VALID
    labels[place == size - 1] = TEST
    return labels


def by_time(interactions: Interactions, rng: np.random.Generator) -> np.ndarray:
    """The first 80 % of all interactions in time are train, the next 10 % valid, the rest test: one moment for everybody."""
    del rng
    times = _times(interactions, "time")
    first, second = np.quantile(times, [0.8, 0.9], method="lower")
    return np.where(times < first, TRAIN, np.where(times < second, VALID, TEST)).astype(np.int8)


def given(interactions: Interactions, rng: np.random.Generator) -> np.ndarray:
    """The labels that came with the log."""
    del rng
    if interactions.labels is None:
        raise BadInput(
            "split 'given' found for a log without x_label, expected labels 0, 1 and 2 in its x_label column"
        )
    return interactions.labels


SPLITS: dict[str, tuple[Callable[[Interactions, np.random.Generator], np.ndarray], bool]] = {
    "random": (by_user_at_random, True),
    "leave-one-out": (leave_one_out, True),
    "time": (by_time, False),
    "given": (given, False),
}


def _times(interactions: Interactions, method: str) -> np.ndarray:
    if interactions.timestamps is None:
        raise BadInput(
            f"split {method!r} found for a log without timestamps, expected them: load the log with --timestamp-column"
        )
    return interactions.timestamps


def _places(users: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each row, its place among its user's rows in `order`, and how many the user has."""
    sizes = np.bincount(users)
    starts = np.cumsum(sizes) - sizes
    place = np.empty(len(users), dtype=np.int64)
    place[order] = np.arange(len(users)) - starts[users[order]]
    return place, sizes[users]


def _move(interactions: Interactions) -> Split:
    """Give every user and item without a row of train one of its own: the first by user and item number."""
    labels = interactions.labels
    if labels is None:
        raise BadInput("no labels found, expected a labelled log")
    labels = labels.copy()
    order = np.lexsort((interactions.items, interactions.users))
    before = (labels == TRAIN).sum()
    for codes, ids in ((interactions.users, interactions.user_ids), (interactions.items, interactions.item_ids)):
        trained = np.bincount(codes[labels == TRAIN], minlength=len(ids)) > 0
        rows = order[~trained[codes[order]]]
        _, first = np.unique(codes[rows], return_index=True)
        labels[rows[first]] = TRAIN
    return Split(interactions.with_labels(labels), moved_to_train=int((labels == TRAIN).sum() - before), dropped=0)


def _drop(interactions: Interactions, k: int) -> Split:
    kept = interactions
    while True:
        labels = kept.labels
        if labels is None:
            raise BadInput("no labels found, expected a labelled log")
        keep = np.ones(len(kept), dtype=bool)
        for codes, ids in ((kept.users, kept.user_ids), (kept.items, kept.item_ids)):
            keep &= (np.bincount(codes[labels == TRAIN], minlength=len(ids)) > 0)[codes]
        if not keep.all():
            keep[keep] = k_core_rows(kept.users[keep], kept.items[keep], k)
        if keep.all():
            return Split(kept, moved_to_train=0, dropped=len(interactions) - len(kept))
        if not keep.any():
            raise BadInput(
                f"nothing is left of {len(interactions)} interactions when untrained users and items go, expected some"
            )
        kept = kept.take(keep)
