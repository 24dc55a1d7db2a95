"""Negatives: items without an interaction, uniform over the rest, and never searched for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import sparse

from tasks.errors import BadInput
from tasks.training import NegativeSampler

TABLES = arrays.arrays(np.bool_, arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=8))


@given(interactions=TABLES, seed=st.integers(0, 99))
def test_a_negative_is_an_item_the_user_has_no_interaction_with(interactions: np.ndarray, seed: int) -> None:
    """Of those that have a training interaction; for any table, and every such item is drawn sooner or later."""
    sampler = NegativeSampler(sparse.csr_matrix(interactions.astype(np.float32)))
    candidates = interactions.any(axis=0)
    users = np.flatnonzero((candidates & ~interactions).any(axis=1))
    np.testing.assert_array_equal(sampler.free, (candidates & ~interactions).sum(axis=1))
    drawn = sampler.sample(np.repeat(users, 200), np.random.default_rng(seed)).reshape(len(users), 200)
    for user, items in zip(users, drawn, strict=True):
        np.testing.assert_array_equal(np.unique(items), np.flatnonzero(candidates & ~interactions[user]))


def test_negatives_are_uniform() -> None:
    """Each free item of a user comes equally often, within five standard errors, wherever those of the user lie."""
    interactions = np.zeros((3, 10), dtype=np.float32)
    interactions[0, [0, 1, 5, 9]] = 1
    interactions[1, [2]] = 1
    interactions[2] = 1
    draws = 60_000
    sampler = NegativeSampler(sparse.csr_matrix(interactions))
    for user, free in ((0, 6), (1, 9)):
        drawn = sampler.sample(np.full(draws, user), np.random.default_rng(3))
        counts = np.bincount(drawn, minlength=10)[interactions[user] == 0]
        assert np.abs(counts - draws / free).max() < 5 * np.sqrt(draws / free)


def test_a_user_who_has_taken_everything_has_no_negative() -> None:
    """An error, not an endless search."""
    sampler = NegativeSampler(sparse.csr_matrix(np.array([[1, 1], [1, 0]], dtype=np.float32)))
    with pytest.raises(BadInput, match="user 0 has interacted with every item"):
        sampler.sample(np.array([1, 0]), np.random.default_rng(0))
