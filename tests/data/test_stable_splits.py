"""A row keeps its part while the log grows: what makes the twins of two nights comparable."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tasks.data import Interactions, in_order, labels_of, split
from tasks.data.pair_hashes import hash_ids, hash_pairs
from tasks.errors import BadInput
from tests.data.logs import Pair, dense, log_of, split_by_name

LARGE = st.builds(
    dense,
    st.integers(8, 25),
    st.integers(8, 25),
    seed=st.integers(0, 10**6),
    share=st.floats(min_value=0.5, max_value=1),
)


def random_labels(log: list[Pair], seed: int = 7) -> tuple[dict[tuple[str, str], int], int]:
    """Return pair -> label of the random split, and how many rows moved; skips logs of which a part is empty."""
    try:
        done = split(in_order(log_of(log)), "random", seed=seed, k=1)
    except BadInput as error:
        assert "expected some of each" in str(error)  # noqa: PT017  the only excuse
        assume(False)
        raise
    return split_by_name(done.interactions), done.moved_to_train


@given(log=LARGE, kept=st.floats(min_value=0.6, max_value=1), seed=st.integers(0, 1000))
def test_a_row_of_a_growing_log_keeps_its_part(log: list[Pair], kept: float, seed: int) -> None:
    """Besides those that had to move to train, on the earlier night or the later one."""
    earlier, moved_then = random_labels(log[: int(len(log) * kept)], seed)
    later, moved_now = random_labels(log, seed)
    changed = [pair for pair, label in earlier.items() if later[pair] != label]
    assert all(0 in {earlier[pair], later[pair]} for pair in changed)
    assert len(changed) <= moved_then + moved_now


@given(log=LARGE, shuffle=st.randoms(use_true_random=False))
def test_neither_the_order_of_rows_nor_the_codes_of_ids_matter(log: list[Pair], shuffle: object) -> None:
    """Vocabularies in another order, with ids that no row has, and rows in another order: the same parts."""
    known = log_of(log)
    labels, moved = random_labels(log)
    order = list(range(len(log)))
    shuffle.shuffle(order)  # type: ignore[attr-defined]
    users, items = len(known.user_ids), len(known.item_ids)
    backwards = Interactions(
        users=(users - 1 - known.users[order]).astype(np.int32),
        items=(items - 1 - known.items[order]).astype(np.int32),
        user_ids=known.user_ids[::-1],
        item_ids=known.item_ids[::-1],
    )
    other = split(backwards, "random", seed=7, k=1)
    assert (split_by_name(other.interactions), other.moved_to_train) == (labels, moved)


def test_the_shares_of_the_random_split_are_eight_one_one() -> None:
    """Over all rows, and over the rows of each item: four standard deviations of a binomial draw are allowed."""
    users, items = 3000, 20
    log = log_of([(user, item) for user in range(users) for item in range(items)])
    labels = labels_of(split(log, "random", seed=5, k=1).interactions)
    for part, share in enumerate((0.8, 0.1, 0.1)):
        spread = np.sqrt(share * (1 - share))
        assert abs((labels == part).mean() - share) < 4 * spread / np.sqrt(users * items)
        by_item = np.bincount(log.items[labels == part], minlength=items) / users
        assert np.abs(by_item - share).max() < 4 * spread / np.sqrt(users)


def test_hashes_of_pairs_are_not_sums() -> None:
    """Two users and two items: the exclusive or, sum and difference of the four hashes are as spread as any number."""
    log = log_of([(user, item) for user in range(400) for item in range(2)])
    table = hash_pairs(log, 7).reshape(200, 2, 2)
    added = table[:, 0, 0] + table[:, 1, 1] - table[:, 0, 1] - table[:, 1, 0]
    assert len(np.unique(added)) == 200
    assert abs((added >> np.uint64(63)).mean() - 0.5) < 4 * 0.5 / np.sqrt(200)


def test_a_hash_is_the_same_in_every_version() -> None:
    """Spelled out in Python's integers: another value would give every row of every running system another part."""
    log = log_of([(1, 2)])

    def digest(one: str, kind: bytes) -> int:
        hashed = hashlib.blake2b(one.encode(), digest_size=8, key=(7).to_bytes(8, "little"), person=kind)
        return int.from_bytes(hashed.digest(), "little")

    mixed = (digest("u1", b"user") + digest("20", b"item")) % 2**64
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        mixed = ((mixed ^ (mixed >> shift)) * factor) % 2**64
    assert hash_pairs(log, 7).tolist() == [mixed]
    assert mixed == 13952178164786968550


def test_a_user_and_an_item_of_one_id_have_different_hashes() -> None:
    """Else the pairs (a, b) and (b, a) would always be in one part. Another seed gives other hashes."""
    ids = np.array(["a", "b"])
    hashes = [hash_ids(ids, kind, seed) for kind, seed in (("user", 1), ("item", 1), ("user", 2))]
    assert len(np.unique(np.concatenate(hashes))) == 6


def test_of_a_user_without_a_training_row_the_lowest_hash_moves() -> None:
    """The row that came closest to being in train, so that the choice, too, depends on the ids alone."""
    log = log_of(dense(400, 3, seed=1, share=1.0))
    hashes = hash_pairs(log, 7)
    done = split(log, "random", seed=7, k=1)
    labels = labels_of(done.interactions)
    untrained = [user for user in range(400) if (hashes[log.users == user] >= np.uint64(int(0.8 * 2**64))).all()]
    assert untrained
    assert done.moved_to_train == len(untrained)
    for user in untrained:
        own = log.users == user
        assert (labels[own] == 0).tolist() == (hashes[own] == hashes[own].min()).tolist()


def timed(rows: int, start: int = 0) -> Interactions:
    """A log of thirty users, one row a second."""
    log = [(row % 30, (row // 30 + 7 * row) % 40) for row in range(30 * 40)]
    pairs = list(dict.fromkeys(log))[:rows]
    return log_of(pairs, times=list(range(start, start + len(pairs))))


def test_the_split_by_time_keeps_the_cuts_of_an_earlier_night() -> None:
    """New rows fall to test, and every other row stays where it was."""
    before = split(timed(900), "time", seed=0, k=1)
    assert before.cuts == (720, 810)
    after = split(timed(1000), "time", seed=0, k=1, cuts=before.cuts)
    assert after.cuts == before.cuts
    old = split_by_name(before.interactions)
    labels = split_by_name(after.interactions)
    assert {pair: labels[pair] for pair in old} == old
    assert {label for pair, label in labels.items() if pair not in old} == {2}


@pytest.mark.parametrize("cuts", [(500, 600), (950, 980), (800, 800), (800, 1000)])
def test_cuts_that_no_longer_share_out_well_are_drawn_anew(cuts: tuple[int, int]) -> None:
    """Train below 70 or above 90 % of the rows, or nothing in valid or test."""
    assert split(timed(1000), "time", seed=0, k=1, cuts=cuts).cuts == (800, 900)


def test_a_log_too_small_for_three_parts_says_so() -> None:
    """Two rows have two hashes: a part is empty."""
    with pytest.raises(BadInput, match="the random split of 2 interactions gives"):
        split(log_of([(0, 0), (1, 0)]), "random", seed=7, k=1)
