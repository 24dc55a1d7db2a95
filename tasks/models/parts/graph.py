"""The user-item graph and the product with it, for every model that propagates."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor


def normalised_bipartite(interactions: sparse.csr_matrix) -> sparse.csr_matrix:
    """D^-1/2 A D^-1/2 of the graph A = [[0, R], [R', 0]] with R the (U, I) interactions.

    (U + I, U + I) float32, symmetric. A node without an edge keeps a row of zeros. He et al., LightGCN, SIGIR 2020,
    equation 8.
    """
    weights = normalised_part(interactions)
    graph = sparse.block_array([[None, weights], [weights.T, None]], format="csr")
    graph.sort_indices()
    return graph


def normalised_part(interactions: sparse.csr_matrix) -> sparse.csr_matrix:
    """D_u^-1/2 R D_i^-1/2, the (U, I) float32 upper right part of the normalised graph."""
    ones = interactions.astype(np.float64)
    scale = [_inverse_root(np.asarray(ones.sum(axis=axis)).ravel()) for axis in (1, 0)]
    found = sparse.diags_array(scale[0]) @ ones @ sparse.diags_array(scale[1])
    return found.tocsr().astype(np.float32)


def pruned(interactions: sparse.csr_matrix, share: float, rng: np.random.Generator) -> sparse.csr_matrix:
    """The interactions without `share` of them, those of much used nodes first (FREEDOM).

    An edge is kept with a probability that grows with 1 / sqrt(d_u d_i). The draw is without replacement by the
    smallest of exponential times (Efraimidis, Spirakis, 2006), for any number of edges.
    """
    edges = interactions.tocoo()
    degrees = [np.asarray(interactions.sum(axis=axis), dtype=np.float64).ravel() for axis in (1, 0)]
    times = rng.exponential(size=edges.nnz) * np.sqrt(degrees[0][edges.row] * degrees[1][edges.col])
    count = max(1, round(edges.nnz * (1 - share)))
    kept = np.argpartition(times, count - 1)[:count]
    return sparse.csr_matrix((edges.data[kept], (edges.row[kept], edges.col[kept])), shape=interactions.shape)


def mean_over_neighbours(interactions: sparse.csr_matrix) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """D^-1 A of the bipartite graph, and its transpose A D^-1: each (U + I, U + I) float32."""
    ones = interactions.astype(np.float64)
    graph = sparse.block_array([[None, ones], [ones.T, None]], format="csr")
    degrees = np.asarray(graph.sum(axis=1)).ravel()
    found = (sparse.diags_array(1 / np.maximum(degrees, 1)) @ graph).tocsr().astype(np.float32)
    return found, found.T.tocsr()


def _inverse_root(degrees: np.ndarray) -> np.ndarray:
    found = np.zeros_like(degrees)
    np.power(degrees, -0.5, where=degrees > 0, out=found)
    return found


def torch_csr(matrix: sparse.csr_matrix) -> Tensor:
    """The matrix as a torch CSR tensor; 32-bit indices where they suffice, which halves what a product reads."""
    kind = np.int32 if max(matrix.nnz, *matrix.shape) < 2**31 else np.int64
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta", category=UserWarning)
        return torch.sparse_csr_tensor(
            torch.from_numpy(matrix.indptr.astype(kind)),
            torch.from_numpy(matrix.indices.astype(kind)),
            torch.from_numpy(matrix.data.astype(np.float32)),
            size=matrix.shape,
            check_invariants=True,
        )


class _Product(torch.autograd.Function):
    """A x for a constant A. The adjoint of x -> A x is A', which is given: no transpose is built while training."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, transposed: Tensor, x: Tensor) -> Tensor:  # noqa: ANN401  torch's own object
        ctx.transposed = transposed
        return matrix @ x

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, None, Tensor]:  # noqa: ANN401
        return None, None, ctx.transposed @ gradients[0]


def product(matrix: Tensor, transposed: Tensor, x: Tensor) -> Tensor:
    """(m, d) product of an (m, n) CSR tensor, which gets no gradient, and (n, d) `x`, which does."""
    found: Tensor = _Product.apply(matrix, transposed, x)  # type: ignore[no-untyped-call]
    return found


def symmetric_product(matrix: Tensor, x: Tensor) -> Tensor:
    """As `product`, of a symmetric (n, n) matrix."""
    return product(matrix, matrix, x)


def propagate(matrix: Tensor, x: Tensor, layers: int) -> Tensor:
    """Mean of x, A x, ..., A^layers x: light graph convolution with equal weights (LightGCN, equations 3 and 4)."""
    total = power = x
    for _ in range(layers):
        power = symmetric_product(matrix, power)
        total = total + power
    return total / (layers + 1)
