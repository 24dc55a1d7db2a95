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
    return _both_ways(normalised_part(interactions))


def normalised_part(interactions: sparse.csr_matrix) -> sparse.csr_matrix:
    """D_u^-1/2 R D_i^-1/2, the (U, I) float32 upper right part of the normalised graph."""
    users, items = (_inverse_root(degrees) for degrees in _degrees(interactions))
    weights = np.repeat(users, np.diff(interactions.indptr)) * items[interactions.indices] * interactions.data
    return _with_weights(interactions, weights)


def _both_ways(part: sparse.csr_matrix) -> sparse.csr_matrix:
    """[[0, R], [R', 0]] of (U, I) R: its rows and those of its transpose, one after the other."""
    users, items = part.shape
    back = part.T.tocsr()
    kind = np.int64 if 2 * part.nnz >= 2**31 else part.indices.dtype
    indices = np.concatenate([part.indices.astype(kind) + users, back.indices])
    starts = np.concatenate([part.indptr.astype(kind), part.nnz + back.indptr[1:].astype(kind)])
    weights = np.concatenate([part.data, back.data])
    return sparse.csr_matrix((weights, indices, starts), shape=(users + items, users + items))


def _with_weights(matrix: sparse.csr_matrix, weights: np.ndarray) -> sparse.csr_matrix:
    """The same edges with other weights, in 32 bits; the edges are shared."""
    edges = (weights.astype(np.float32, copy=False), matrix.indices, matrix.indptr)
    return sparse.csr_matrix(edges, shape=matrix.shape)


def _degrees(interactions: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """(U,) and (I,) float64."""
    users, items = (np.asarray(interactions.sum(axis=axis), dtype=np.float64).ravel() for axis in (1, 0))
    return users, items


def pruned(interactions: sparse.csr_matrix, share: float, rng: np.random.Generator) -> sparse.csr_matrix:
    """The interactions without `share` of them, those of much used nodes first (FREEDOM).

    An edge is kept with a probability that grows with 1 / sqrt(d_u d_i). The draw is without replacement by the
    smallest of exponential times (Efraimidis, Spirakis, 2006), for any number of edges.
    """
    users, items = _degrees(interactions)
    both = np.repeat(users, np.diff(interactions.indptr)) * items[interactions.indices]  # (edges,)
    times = rng.exponential(size=interactions.nnz) * np.sqrt(both)
    count = max(1, round(interactions.nnz * (1 - share)))
    kept = np.zeros(interactions.nnz, dtype=bool)
    kept[np.argpartition(times, count - 1)[:count]] = True
    starts = np.concatenate([[0], kept.cumsum()])[interactions.indptr]
    edges = (interactions.data[kept], interactions.indices[kept], starts)
    return sparse.csr_matrix(edges, shape=interactions.shape)


def mean_over_neighbours(interactions: sparse.csr_matrix) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """D^-1 A of the bipartite graph and its transpose A D^-1, (U + I, U + I) float32, with the same edges."""
    graph = _both_ways(interactions)
    shares = (1 / np.maximum(np.concatenate(_degrees(interactions)), 1)).astype(np.float32)  # (U + I,)
    forth, back = np.repeat(shares, np.diff(graph.indptr)), shares[graph.indices]
    return _with_weights(graph, forth * graph.data), _with_weights(graph, back * graph.data)


def _inverse_root(degrees: np.ndarray) -> np.ndarray:
    found = np.zeros_like(degrees)
    np.power(degrees, -0.5, where=degrees > 0, out=found)
    return found


def torch_csr(matrix: sparse.csr_matrix) -> Tensor:
    """The matrix as a torch CSR tensor; 32-bit indices where they suffice, which halves what a product reads."""
    kind = np.int32 if max(matrix.nnz, *matrix.shape) < 2**31 else np.int64
    return _csr(
        torch.from_numpy(matrix.indptr.astype(kind, copy=False)),
        torch.from_numpy(matrix.indices.astype(kind, copy=False)),
        torch.from_numpy(matrix.data.astype(np.float32, copy=False)),
        matrix.shape,
    )


def torch_pair(matrix: sparse.csr_matrix) -> tuple[Tensor, Tensor]:
    """(m, n) and its transpose (n, m), as `torch_csr`: what `product` takes."""
    return torch_csr(matrix), torch_csr(matrix.T.tocsr())


def torch_sides(graph: Tensor, users: int) -> tuple[Tensor, Tensor]:
    """(U, I) from items to users and (I, U) back of a symmetric graph (U + I, U + I), whose weights they share."""
    starts, columns, weights = graph.crow_indices(), graph.col_indices(), graph.values()
    items, edges = len(starts) - 1 - users, int(starts[users])
    to_users = _csr(starts[: users + 1], columns[:edges] - users, weights[:edges], (users, items))
    return to_users, _csr(starts[users:] - edges, columns[edges:], weights[edges:], (items, users))


def _csr(starts: Tensor, columns: Tensor, weights: Tensor, shape: tuple[int, int]) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta", category=UserWarning)
        return torch.sparse_csr_tensor(starts, columns, weights, size=shape, check_invariants=True)


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


class _Propagation(torch.autograd.Function):
    """Mean of powers of a symmetric matrix times x, which is its own adjoint."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, x: Tensor, layers: int) -> Tensor:  # noqa: ANN401
        ctx.matrix, ctx.layers = matrix, layers
        return _mean_of_powers(matrix, x, layers)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor, None]:  # noqa: ANN401
        return None, _mean_of_powers(ctx.matrix, gradients[0], ctx.layers), None


def _mean_of_powers(matrix: Tensor, x: Tensor, layers: int) -> Tensor:
    found = x
    for layer in range(layers):  # Horner: (x + A (x + A x)) / 3 needs no sum beside the power
        share = 1 / (layers + 1) if layer == layers - 1 else 1
        found = torch.addmm(x, matrix, found, beta=share, alpha=share)
    return found


def propagate(matrix: Tensor, x: Tensor, layers: int) -> Tensor:
    """Mean of x, A x, ..., A^layers x: light graph convolution with equal weights (LightGCN, equations 3 and 4)."""
    found: Tensor = _Propagation.apply(matrix, x, layers)  # type: ignore[no-untyped-call]
    return found
