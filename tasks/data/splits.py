"""Split rules: interactions for training, for selection (validation) and for reporting (test)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tasks.data.interactions import Interactions
from tasks.data.kcore import k_core_rows
from tasks.data.order import order_within, places
from tasks.data.pair_hashes import hash_pairs
from tasks.errors import BadInput

TRAIN, VALID, TEST = np.int8(0), np.int8(1), np.int8(2)


SPLITS = ("random", "leave-one-out", "time", "given")
Cuts = tuple[int, int]  # seconds since 1970 of the first moment of valid, and of test
SHARES = (0.8, 0.9)  # where valid and test begin, of all rows
KEPT_SHARE = (0.7, 0.9)  # of train, with the cuts of an earlier split; beyond it new ones are drawn


@dataclass(frozen=True)
class LabelledLog:
    """A labelled log, and the rows, users and items that were moved or lost by labelling."""

    interactions: Interactions
    moved_to_train: int  # rows of users or items without a training row, and rows that follow them
    dropped: int  # rows removed because moving them would leak the future
    users_lost: int  # removed with those rows
    items_lost: int
    cuts: Cuts | None = None  # of the split `time`

    @property
    def users_unmeasured(self) -> int:
        """Users without a row in valid or test: they are in training, but in no metric."""
        withheld = self.interactions.users[labels_of(self.interactions) != TRAIN]
        return int((np.bincount(withheld, minlength=len(self.interactions.user_ids)) == 0).sum())


def split(interactions: Interactions, method: str, *, seed: int, k: int, cuts: Cuts | None = None) -> LabelledLog:
    """Label the log by one of SPLITS; afterwards every user and item has at least one training row.

    For users and items without a training row, `random` moves the row with the lowest hash to train, and
    `leave-one-out` the first by user and item number, without training on a user's future. `time` would leak the future
    and `given` must not be changed, so they drop such users and items, and then all that is outside the k-core, until
    nothing changes. Labels do not depend on the order of the rows, and those of `random` are a function of the seed and
    the ids of user and item alone. `cuts` are those of an earlier split by time, which are kept as long as the share of
    train stays within KEPT_SHARE. Raises BadInput for repeated pairs and if a part is empty.
    """
    if method not in SPLITS:
        raise BadInput(f"split {method!r} found, expected one of {', '.join(SPLITS)}")
    order = order_within(interactions.users, interactions.items)
    if order is None:
        raise BadInput("a user has the same item more than once, expected each pair once")
    if method == "time":
        cuts = choose_cuts(_times(interactions, method), cuts)
        labelled = replace(_drop(interactions.with_labels(by_time(interactions, cuts)), k), cuts=cuts)
    elif method == "given":
        labelled = _drop(interactions, k)
    else:
        ordered = method == "leave-one-out"
        preference = np.argsort(order) if ordered else hash_pairs(interactions, seed)
        labels = leave_one_out(interactions, order) if ordered else by_hash(preference)
        labelled = _move(interactions, labels, preference, ordered=ordered)
    present = np.bincount(labels_of(labelled.interactions), minlength=3)
    if not present.all():
        raise BadInput(
            f"the {method} split of {len(interactions)} interactions gives {present.tolist()} rows of train, valid and "
            "test, expected some of each: give more data or another split"
        )
    return labelled


def by_hash(hashes: np.ndarray) -> np.ndarray:
    """Label a row by its hash (n,) uint64 alone, 8:1:1 in the mean: as other rows come, it keeps its part."""
    first, second = (np.uint64(int(share * 2**64)) for share in SHARES)
    return np.where(hashes < first, TRAIN, np.where(hashes < second, VALID, TEST))


def leave_one_out(interactions: Interactions, order: np.ndarray) -> np.ndarray:
    """Label the last interaction of each user test and the one before it valid; ties are ordered by item number."""
    times = _times(interactions, "leave-one-out")
    rank = np.empty(len(order), dtype=order.dtype)
    rank[order[np.argsort(times[order], kind="stable")]] = np.arange(len(order))
    place, size = places(interactions.users, _distinct(order_within(interactions.users, rank)))
    past = place - size + 2
    return np.where(past < 0, TRAIN, np.where(past < 1, VALID, TEST))


def choose_cuts(times: np.ndarray, kept: Cuts | None) -> Cuts:
    """Return `kept`, or cuts after 80 and 90 % of the rows if there are none or KEPT_SHARE is left; `times` (n,)."""
    if kept is not None:
        train, valid = float((times < kept[0]).mean()), float((times < kept[1]).mean())
        if KEPT_SHARE[0] <= train <= KEPT_SHARE[1] and train < valid < 1:
            return kept
    places_of_cuts = [len(times) * 8 // 10, len(times) * 9 // 10]  # first row of valid and of test, in order of time
    first, second = np.partition(times, places_of_cuts)[places_of_cuts].tolist()
    return first, second


def by_time(interactions: Interactions, cuts: Cuts) -> np.ndarray:
    """Label rows before the first cut train, those before the second valid and the rest test, for all users."""
    times, (first, second) = _times(interactions, "time"), cuts
    return np.where(times < first, TRAIN, np.where(times < second, VALID, TEST))


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


def _move(interactions: Interactions, before: np.ndarray, preference: np.ndarray, *, ordered: bool) -> LabelledLog:
    """Move a row to train for every user, and then every item, that has none: the one of the lowest `preference` (n,).

    `ordered` labels mean that each user's valid row is before the test row. Then a valid row is preferred, and when a
    test row moves, its user's valid row moves too, so that no training row of a user is after a held-out one.
    """
    labels = before.copy()
    for codes, ids in ((interactions.users, interactions.user_ids), (interactions.items, interactions.item_ids)):
        untrained = np.bincount(codes[labels == TRAIN], minlength=len(ids)) == 0
        if untrained.any():
            rows = np.flatnonzero(untrained[codes])
            keys = (preference[rows], before[rows]) if ordered else (preference[rows],)
            rows = rows[np.lexsort(keys)]
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
