"""The contract of all splits, and the rule of each."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tasks.data import SPLITS, Interactions, LabelledLog, dataset_of, in_order, k_core, labels_of, split
from tasks.data.order import order_within, places
from tasks.errors import BadInput
from tests.data.logs import Pair, dense, log_of, named, pairs, split_by_name

METHODS = sorted(SPLITS)
LOGS = st.builds(
    dense,
    st.integers(3, 25),
    st.integers(3, 25),
    seed=st.integers(0, 10**6),
    share=st.floats(min_value=0.2, max_value=1),
)


def labelled(log: list[Pair], method: str, *, seed: int = 7, k: int = 1) -> LabelledLog:
    """Split a log whose times and given labels are functions of the pair."""
    times = [(31 * user + 17 * item) % 53 for user, item in log]
    labels = [(user + 2 * item) % 7 % 3 for user, item in log]
    return split(in_order(log_of(log, times=times, labels=labels)), method, seed=seed, k=k)


def possible(log: list[Pair], method: str, *, k: int = 1) -> LabelledLog:
    """Split a log; skips logs too small for three parts."""
    try:
        return labelled(log, method, k=k)
    except BadInput as error:
        assert "expected some" in str(error)  # noqa: PT017  the only excuse
        assume(False)
        raise


@pytest.mark.parametrize("method", METHODS)
@given(log=LOGS, k=st.integers(1, 3))
def test_nobody_is_left_untrained_and_no_row_is_lost_uncounted(method: str, log: list[Pair], k: int) -> None:
    """Every user and item of the result has a training row; all rows are kept except those counted as dropped."""
    done = possible(log, method, k=k)
    kept = done.interactions
    labels = labels_of(kept)
    assert set(kept.users[labels == 0].tolist()) == set(range(len(kept.user_ids)))
    assert set(kept.items[labels == 0].tolist()) == set(range(len(kept.item_ids)))
    assert np.bincount(labels, minlength=3).all()
    before = log_of(log).counts
    assert len(kept) == before["interactions"] - done.dropped
    assert kept.counts["users"] == before["users"] - done.users_lost
    assert kept.counts["items"] == before["items"] - done.items_lost
    assert named(kept) <= named(log_of(log))


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=40)
@given(log=LOGS, shuffle=st.randoms(use_true_random=False))
def test_the_same_seed_gives_the_same_labels_whatever_the_order_of_rows(
    method: str, log: list[Pair], shuffle: object
) -> None:
    """Labels depend on the pairs, not on the order of rows."""
    first = possible(log, method)
    mixed = list(log)
    shuffle.shuffle(mixed)  # type: ignore[attr-defined]
    second = labelled(mixed, method)
    assert split_by_name(first.interactions) == split_by_name(second.interactions)
    assert (first.moved_to_train, first.dropped) == (second.moved_to_train, second.dropped)


def test_another_seed_gives_other_labels_of_the_random_split() -> None:
    """Another seed gives another split."""
    log = dense(20, 20, seed=1)
    one, other = (split_by_name(labelled(log, "random", seed=seed).interactions) for seed in (1, 2))
    assert one != other


def test_leave_one_out_takes_the_last_two_of_each_user() -> None:
    """The latest row is test, the one before it valid; for equal times the higher item number is later."""
    log = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2), (1, 3)]
    times = [40, 30, 20, 10, 5, 5, 5, 5]
    labels = split_by_name(split(in_order(log_of(log, times=times)), "leave-one-out", seed=0, k=1).interactions)
    assert [labels["u0", item] for item in ("0", "10", "20", "30")] == [2, 1, 0, 0]
    assert [labels["u1", item] for item in ("0", "10", "20", "30")] == [0, 0, 1, 2]


def test_leave_one_out_works_with_any_number_of_rows_and_negative_times() -> None:
    """Times before 1970 are sorted correctly."""
    log = dense(40, 30, seed=2)
    times = [user * 7 - (item * 13 + user * 5) % 30 * 1_000_003 for user, item in log]
    done = split(in_order(log_of(log, times=times)), "leave-one-out", seed=0, k=1)
    labels = split_by_name(done.interactions)
    assert done.moved_to_train == 0
    for user in range(40):
        own = sorted((time, str(10 * item)) for time, (one, item) in zip(times, log, strict=True) if one == user)
        assert [labels[f"u{user}", name] for _, name in own] == [0] * (len(own) - 2) + [1, 2]


def test_the_split_by_time_has_one_moment_for_everybody() -> None:
    """All train rows are before all valid rows, and these before all test rows, at 80 and 90 % of the rows."""
    log = dense(50, 40, seed=3)
    times = np.random.default_rng(1).permutation(len(log))
    done = split(in_order(log_of(log, times=times.tolist())), "time", seed=0, k=1)
    assert done.dropped == 0
    kept, labels = done.interactions.timestamps, labels_of(done.interactions)
    assert kept is not None
    assert kept[labels == 0].max() < kept[labels == 1].min() <= kept[labels == 1].max() < kept[labels == 2].min()
    train, rest = len(log) * 8 // 10, len(log) * 9 // 10
    assert np.bincount(labels).tolist() == [train, rest - train, len(log) - rest]


def test_rows_of_one_moment_are_never_parted() -> None:
    """All rows of equal time are in the later part, so no training row has the time of a test row."""
    log = dense(30, 30, seed=4)
    times = [row * 20 // len(log) for row in range(len(log))]
    done = split(in_order(log_of(log, times=times)), "time", seed=0, k=1)
    kept, labels = done.interactions.timestamps, labels_of(done.interactions)
    assert kept is not None
    for moment in range(20):
        assert len(set(labels[kept == moment].tolist())) <= 1


@pytest.mark.parametrize("method", ["time", "given"])
def test_who_comes_too_late_to_be_trained_is_dropped_with_all_that_depends_on_it(method: str) -> None:
    """An item that occurs only in test is dropped, then the user who falls below k without it; both are counted."""
    block = dense(20, 20, seed=5, share=1.0)
    late = [(0, 99), (50, 99), (50, 0)]
    log = block + late
    early = list(range(len(block)))
    times = [*early, 10_000, 10_001, 0]
    labels = [0 if row < 320 else 1 if row < 360 else 2 for row in early] + [2, 2, 0]
    done = split(in_order(log_of(log, times=times, labels=labels)), method, seed=0, k=2)
    assert named(done.interactions) == named(log_of(block))
    assert (done.dropped, done.users_lost, done.items_lost, done.moved_to_train) == (3, 1, 1, 0)


def test_the_first_row_of_an_untrained_item_moves_to_train() -> None:
    """An item without training rows moves the first user's row to train, with that user's earlier valid row; no other
    label changes."""
    log = [(user, item) for user in range(6) for item in range(4)] + [(4, 50), (5, 50)]
    times = [(item + user) % 4 for user, item in log[:-2]] + [1000, 1000]
    done = split(in_order(log_of(log, times=times)), "leave-one-out", seed=0, k=1)
    labels = split_by_name(done.interactions)
    assert done.moved_to_train == 2
    assert [labels["u4", item] for item in ("0", "10", "20", "30", "500")] == [0, 0, 0, 0, 0]
    assert [labels["u5", item] for item in ("0", "10", "20", "30", "500")] == [0, 0, 1, 0, 2]
    assert [labels["u0", item] for item in ("0", "10", "20", "30")] == [0, 0, 1, 2]


def test_leave_one_out_moves_a_row_of_validation_where_there_is_one() -> None:
    """A valid row is preferred, even if the first user has a test row; users with two rows are handled likewise."""
    log = [(user, item) for user in range(4) for item in range(4)] + [
        (0, 50),
        (1, 50),
        (1, 60),
        (0, 60),
        (9, 0),
        (9, 1),
    ]
    times = [item for _, item in log[:16]] + [1000, 900, 950, 800, 5, 4]
    done = split(in_order(log_of(log, times=times)), "leave-one-out", seed=0, k=1)
    labels = split_by_name(done.interactions)
    assert done.moved_to_train == 3
    assert (labels["u0", "600"], labels["u0", "500"]) == (0, 2)
    assert (labels["u1", "500"], labels["u1", "600"]) == (0, 2)
    assert (labels["u9", "10"], labels["u9", "0"]) == (0, 2)


def test_users_who_are_in_train_alone_are_counted() -> None:
    """If all rows of a user move to train, the user stays but is in no metric."""
    log = [(user, item) for user in range(2) for item in range(5)]
    done = split(in_order(log_of(log, times=[item for _, item in log])), "leave-one-out", seed=0, k=1)
    assert (done.moved_to_train, done.users_unmeasured, done.users_lost) == (2, 1, 0)
    labels = labels_of(done.interactions)[done.interactions.users == 0]
    assert not labels.any()


@given(log=LOGS)
def test_leave_one_out_never_learns_from_a_users_future(log: list[Pair]) -> None:
    """Whatever moves, no user has a training row later than a valid or test row."""
    labelled = possible(log, "leave-one-out").interactions
    labels, times = labels_of(labelled), labelled.timestamps
    assert times is not None
    for user in range(len(labelled.user_ids)):
        own = labelled.users == user
        past, held = times[own & (labels == 0)], times[own & (labels > 0)]
        assert not len(held) or past.max() <= held.min()
        assert times[own & (labels == 1)].max(initial=-1) <= times[own & (labels == 2)].min(initial=100)


def test_given_labels_stay_as_they_are() -> None:
    """A published split must not be changed."""
    log = dense(20, 20, seed=6, share=1.0)
    labels = [(user + item) % 5 % 3 for user, item in log]
    done = split(in_order(log_of(log, labels=labels)), "given", seed=0, k=5)
    expected = {(f"u{user}", str(10 * item)): label for (user, item), label in zip(log, labels, strict=True)}
    assert split_by_name(done.interactions) == expected


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("leave-one-out", "split 'leave-one-out' found for a log without timestamps"),
        ("time", "split 'time' found for a log without timestamps"),
        ("given", "a log without labels found, expected 0"),
        ("half", "split 'half' found, expected one of random, leave-one-out, time, given"),
    ],
)
def test_a_split_says_what_it_misses(method: str, message: str) -> None:
    """A split by time or by given labels is refused without them."""
    with pytest.raises(BadInput, match=message):
        split(log_of([(0, 0), (0, 1), (1, 0)]), method, seed=0, k=1)


def test_an_empty_part_is_an_error() -> None:
    """Without test rows there would be no metrics."""
    log = dense(10, 10, seed=7)
    with pytest.raises(BadInput, match=r"the given split of .* gives .* rows of train, valid and test, expected some"):
        split(log_of(log, labels=[0] * len(log)), "given", seed=0, k=1)


def test_nothing_left_is_an_error() -> None:
    """If no training rows remain, the message says so."""
    log = dense(10, 10, seed=8)
    with pytest.raises(BadInput, match="nothing is left of"):
        split(log_of(log, labels=[2] * len(log)), "given", seed=0, k=1)


@pytest.mark.parametrize("method", METHODS)
def test_repeated_pairs_are_refused(method: str) -> None:
    """The same pair in train and test would be a leak, under any rule."""
    log = log_of([(0, 0), (0, 1), (0, 0)], times=[1, 2, 3], labels=[0, 1, 2])
    with pytest.raises(BadInput, match="same item more than once"):
        split(log, method, seed=0, k=1)


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=25)
@given(log=LOGS)
def test_no_pair_is_in_two_parts(method: str, log: list[Pair]) -> None:
    """A Dataset, which refuses repeated pairs, can be made from every split and has each row once."""
    labelled = possible(log, method).interactions
    data = dataset_of("drawn", labelled, {})
    assert data.train.nnz + data.valid.nnz + data.test.nnz == len(labelled) == len(named(labelled))


@given(pairs())
def test_order_within_sorts_like_a_lexsort(log: list[Pair]) -> None:
    """The counting sort equals sorting all rows by user and item, and gives the corresponding places."""
    known = log_of(log)
    order = order_within(known.users, known.items)
    assert order is not None
    np.testing.assert_array_equal(order, np.lexsort((known.items, known.users)))
    place, size = places(known.users, order)
    for user in range(len(known.user_ids)):
        own = place[known.users == user]
        assert sorted(own.tolist()) == list(range(len(own)))
        assert set(size[known.users == user].tolist()) == {len(own)}


@pytest.mark.parametrize("method", METHODS)
def test_splits_hold_after_a_core_is_taken(method: str) -> None:
    """On a log as `prepare` returns it, numbered and a k-core, no split breaks the k-core."""
    rng = np.random.default_rng(9)
    log = log_of(dense(60, 50, seed=9, share=0.4))
    labels = rng.choice(3, len(log), p=[0.8, 0.1, 0.1]).astype(np.int8)
    timed = Interactions(log.users, log.items, log.user_ids, log.item_ids, rng.permutation(len(log)), labels)
    labelled = split(in_order(k_core(timed, 5)), method, seed=1, k=5).interactions
    assert np.bincount(labelled.users).min() >= 5
    assert np.bincount(labelled.items).min() >= 5
