"""More interactions than 2^24, where 32-bit floats stop counting and `torch.multinomial` stops drawing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse

from tasks.models.layers.graph import drop_edges, normalise_bipartite
from tasks.models.layers.sparse import propagate, torch_csr
from tasks.training import NegativeSampler

pytestmark = pytest.mark.slow
USERS, ITEMS, ABSENT = 4200, 4096, 64  # each user lacks one item of 64


@pytest.fixture(scope="module")
def interactions() -> Any:
    """(USERS, ITEMS), all of it but a diagonal pattern."""
    items = np.arange(ITEMS, dtype=np.int32)
    rows = [items[(items + user) % ABSENT != 0] for user in range(USERS)]
    indices = np.concatenate(rows)
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    found = sparse.csr_matrix((np.ones(len(indices), dtype=np.float32), indices, starts), shape=(USERS, ITEMS))
    assert found.nnz > 2**24
    return found


def test_a_graph_has_every_edge_and_propagates(interactions: sparse.csr_matrix) -> None:
    """Of a vector of ones, the first and last rows are what degrees say; a lost edge is 2.5e-4 of them."""
    graph = torch_csr(normalise_bipartite(interactions))
    users, items = (np.asarray(interactions.sum(axis=axis), dtype=np.float64).ravel() for axis in (1, 0))
    found = propagate(graph, torch.ones(USERS + ITEMS, 1), 1).numpy().ravel() * 2 - 1
    weights = 1 / np.sqrt(items)
    expected = [
        weights[interactions.indices[interactions.indptr[row] : interactions.indptr[row + 1]]].sum()
        for row in (0, USERS - 1)
    ]
    np.testing.assert_allclose(found[[0, USERS - 1]], np.array(expected) / np.sqrt(users[[0, -1]]), rtol=5e-5)
    last = interactions[:, ITEMS - 1].nonzero()[0]
    np.testing.assert_allclose(found[-1], (1 / np.sqrt(users[last])).sum() / np.sqrt(items[-1]), rtol=5e-5)


def test_thinning_keeps_the_share_of_the_first_and_of_the_last(interactions: sparse.csr_matrix) -> None:
    """Exactly as many as asked for; within five standard errors the same of all users, of nearly equal degrees."""
    kept = drop_edges(interactions, 0.7, np.random.default_rng(0))
    assert kept.nnz == round(interactions.nnz * 0.3)
    for users in (slice(0, 500), slice(USERS - 500, USERS)):
        before, after = (int(matrix[users].nnz) for matrix in (interactions, kept))
        assert abs(after / before - 0.3) < 5 * np.sqrt(0.3 * 0.7 / before)
    assert (interactions - interactions.multiply(kept)).nnz == interactions.nnz - kept.nnz  # each of them was there


def test_negatives_of_the_last_users_are_items_they_lack(interactions: sparse.csr_matrix) -> None:
    """All of them, and only they."""
    users = np.repeat([0, USERS - 1], 20_000)
    drawn = NegativeSampler(interactions).sample(users, np.random.default_rng(0))
    for user in (0, USERS - 1):
        lacking = np.flatnonzero((np.arange(ITEMS) + user) % ABSENT == 0)
        np.testing.assert_array_equal(np.unique(drawn[users == user]), lacking)
