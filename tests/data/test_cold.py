"""Items that are held out of training entirely."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import sparse

from tasks.data import ColdStart, Dataset, hold_out_items
from tasks.errors import BadInput
from tests.world import dataset, random_world

WORLDS = st.builds(
    random_world,
    st.integers(3, 12),
    st.integers(4, 15),
    density=st.sampled_from([0.1, 0.3, 0.6]),
    seed=st.integers(0, 10**6),
)
SHARES = st.sampled_from([0.15, 0.3, 0.5])


def possible(data: Dataset, share: float, seed: int = 0) -> ColdStart:
    """Hold out items; skips worlds without training interactions."""
    try:
        return hold_out_items(data, share=share, seed=seed)
    except BadInput as error:
        assert "to learn from" in str(error)  # noqa: PT017  the only accepted error
        assume(False)
        raise


def pairs(matrix: sparse.csr_matrix) -> set[tuple[int, int]]:
    """Return user and item of every entry."""
    entries = matrix.tocoo()
    return set(zip(entries.row.tolist(), entries.col.tolist(), strict=True))


@settings(max_examples=40)
@given(data=WORLDS, share=SHARES)
def test_nothing_of_a_held_out_item_is_learned_from_or_chosen_by(data: Dataset, share: float) -> None:
    """Train and validation have no interactions of held-out items, and test has no others."""
    cold = possible(data, share)
    held = set(cold.items.tolist())
    assert len(held) == round(share * data.shape[1])
    for part, is_cold in ((cold.data.train, False), (cold.data.valid, False), (cold.data.test, True)):
        assert {item in held for _, item in pairs(part)} <= {is_cold}


@settings(max_examples=40)
@given(data=WORLDS, share=SHARES)
def test_every_interaction_is_accounted_for(data: Dataset, share: float) -> None:
    """Each interaction stays, moves to test, was in test of a known item, or is of a user without training."""
    cold = possible(data, share)
    held = set(cold.items.tolist())
    train = {pair for pair in pairs(data.train) if pair[1] not in held}
    trained = {user for user, _ in train}
    everything = pairs(data.train) | pairs(data.valid) | pairs(data.test)
    warm_test = {pair for pair in pairs(data.test) if pair[1] not in held}
    untrained = {pair for pair in everything - warm_test if pair[0] not in trained}
    assert pairs(cold.data.train) == train
    assert pairs(cold.data.valid) == {pair for pair in pairs(data.valid) if pair[1] not in held} - untrained
    assert pairs(cold.data.test) == {pair for pair in everything if pair[1] in held} - untrained
    assert (cold.warm_test, cold.untrained) == (len(warm_test), len(untrained))
    assert cold.users_untrained == len({user for user, _ in everything} - trained)
    kept = cold.data.train.nnz + cold.data.valid.nnz + cold.data.test.nnz
    assert kept + cold.warm_test + cold.untrained == len(everything)


@settings(max_examples=40)
@given(data=WORLDS, share=SHARES)
def test_who_has_nothing_in_train_is_not_evaluated(data: Dataset, share: float) -> None:
    """Users with a test positive have training interactions."""
    cold = possible(data, share)
    assert {user for user, _ in pairs(cold.data.test)} <= {user for user, _ in pairs(cold.data.train)}


def test_a_user_of_held_out_items_alone_leaves_every_part() -> None:
    """Their validation interactions are removed too, and both are counted."""
    held = hold_out_items(random_world(2, 2, density=1.0), share=0.5).items[0]
    train = np.zeros((2, 2), dtype=bool)
    train[0, 1 - held] = train[1, held] = True
    valid = np.zeros((2, 2), dtype=bool)
    valid[1, 1 - held] = True
    cold = hold_out_items(dataset("two users", train, valid, np.zeros_like(train)), share=0.5)
    assert (cold.data.train.nnz, cold.data.valid.nnz, cold.data.test.nnz) == (1, 0, 0)
    assert (cold.untrained, cold.users_untrained, cold.warm_test) == (2, 1, 0)


def test_ids_and_features_stay_in_place() -> None:
    """Rows and columns are those of the original dataset."""
    data = random_world(20, 30)
    held_out = hold_out_items(data).data
    assert held_out.shape == data.shape
    assert (held_out.item_ids == data.item_ids).all()
    assert held_out.features == data.features


def test_the_seed_decides_which_items() -> None:
    """The same seed gives the same items, another seed others."""
    data = random_world(20, 30)
    first, again, other = (hold_out_items(data, seed=seed).items.tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_every_item_is_held_out_about_as_often() -> None:
    """Over 300 seeds each of ten items is held out with probability 0.3: 90 times expected, standard deviation 8."""
    data = random_world(20, 10, density=0.6)
    times = sum(np.bincount(hold_out_items(data, share=0.3, seed=seed).items, minlength=10) for seed in range(300))
    assert np.abs(times - 90).max() < 35


@pytest.mark.parametrize("share", [0.0, 0.01, 1.0, -0.5])
def test_a_share_of_none_or_all_is_an_error(share: float) -> None:
    """The message gives the number of items."""
    with pytest.raises(BadInput, match=r"a share of .* of 10 items found, which is .* expected some and not all"):
        hold_out_items(random_world(20, 10), share=share)


def test_nothing_left_to_learn_from_is_an_error() -> None:
    """This happens if all interactions are of held-out items."""
    train = np.zeros((3, 2), dtype=bool)
    train[:, 0] = True
    data = dataset("one item", train, np.zeros_like(train), np.zeros_like(train))
    seeds = [seed for seed in range(20) if 0 in np.random.default_rng(seed).choice(2, 1, replace=False)]
    with pytest.raises(BadInput, match="no interaction to learn from"):
        hold_out_items(data, share=0.5, seed=seeds[0])
