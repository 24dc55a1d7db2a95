"""The graph and its products against dense NumPy."""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse

from tasks.models.layers.graph import drop_edges, normalise_bipartite, normalise_part
from tasks.models.layers.mean_graph import mean_over_neighbours
from tasks.models.layers.sparse import product, propagate, torch_csr, torch_pair, torch_sides
from tests.models.dense import dense_graph
from tests.world import random_world


def test_the_graph_is_normalised_on_both_sides() -> None:
    """Equal to the dense form; a user and an item without interactions have rows of zeros, not of NaN."""
    interactions = random_world(11, 8).train.toarray()
    interactions[4] = 0
    interactions[:, 6] = 0
    graph = normalise_bipartite(sparse.csr_matrix(interactions))
    np.testing.assert_allclose(graph.toarray(), dense_graph(interactions), rtol=1e-6, atol=1e-7)
    assert graph.dtype == np.float32
    assert not graph[[4, 11 + 6]].nnz


def test_the_mean_over_neighbours_and_its_transpose() -> None:
    """Rows sum to one, but for a user and an item without interactions; the way back is the dense transpose."""
    interactions = random_world(11, 8).train.toarray()
    interactions[4] = 0
    interactions[:, 6] = 0
    dense = np.block([[np.zeros((11, 11)), interactions], [interactions.T, np.zeros((8, 8))]])
    dense /= np.maximum(dense.sum(1, keepdims=True), 1)
    forth, back = mean_over_neighbours(sparse.csr_matrix(interactions))
    np.testing.assert_allclose(forth.toarray(), dense, rtol=1e-6)
    np.testing.assert_allclose(back.toarray(), dense.T, rtol=1e-6)
    assert (forth.dtype, back.dtype) == (np.float32, np.float32)
    assert not forth[[4, 11 + 6]].nnz


def test_indices_are_32_bit() -> None:
    """Half the memory traffic of 64 bits."""
    graph = torch_csr(normalise_bipartite(random_world(11, 8).train))
    assert graph.crow_indices().dtype == graph.col_indices().dtype == torch.int32


def test_a_graph_has_two_sides() -> None:
    """What items pass to users, and users to items; a user and an item without interactions are no exception."""
    interactions = random_world(11, 8).train.tolil()
    interactions[10], interactions[:, 0] = 0, 0
    part = normalise_part(interactions.tocsr())
    graph = torch_csr(normalise_bipartite(interactions.tocsr()))
    for found, expected in zip(torch_sides(graph, 11), (part, part.T), strict=True):
        np.testing.assert_array_equal(found.to_dense().numpy(), expected.toarray())
        assert found.col_indices().dtype == torch.int32
    assert torch_sides(graph, 11)[1].values().data_ptr() == graph.values()[part.nnz :].data_ptr()


def test_propagation_is_the_mean_over_layers() -> None:
    """(x + A x + A A x + A A A x) / 4."""
    interactions = random_world(11, 8).train
    dense = dense_graph(interactions.toarray())
    x = np.random.default_rng(0).normal(size=(19, 5))
    found = propagate(torch_csr(normalise_bipartite(interactions)), torch.from_numpy(x.astype(np.float32)), 3)
    expected = (x + dense @ x + dense @ dense @ x + dense @ dense @ dense @ x) / 4
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_thinning_leaves_out_edges_of_much_used_nodes_first() -> None:
    """One edge is kept of twelve: each as often as 1 / sqrt(d_u d_i) says, within five standard errors."""
    interactions = np.array(
        [[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 1, 0, 0, 0], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]], np.float32
    )
    matrix, rng, draws = sparse.csr_matrix(interactions), np.random.default_rng(0), 5000
    kept = sum(drop_edges(matrix, 1 - 1 / matrix.nnz, rng).toarray() for _ in range(draws))
    weights = interactions / np.sqrt(np.outer(interactions.sum(1), interactions.sum(0)))
    expected = weights / weights.sum()
    assert kept.sum() == draws
    assert (abs(kept / draws - expected) <= 5 * np.sqrt(expected * (1 - expected) / draws)).all()
    assert expected.max() > 2 * expected[interactions > 0].min()


def test_the_gradient_of_a_product_is_that_of_finite_differences() -> None:
    """The adjoint that is never built is the right one."""
    part = normalise_part(random_world(6, 5).train)
    matrix, transposed = (one.to(torch.float64) for one in torch_pair(part))
    x = torch.randn(5, 3, dtype=torch.float64, requires_grad=True, generator=torch.Generator().manual_seed(0))
    assert torch.autograd.gradcheck(lambda value: product(matrix, transposed, value).square(), (x,))
