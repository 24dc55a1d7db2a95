"""Sparse matrices in torch: from SciPy, products with constant ones, and powers of symmetric ones."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor


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
    """(m, n) and its transpose (n, m), as `torch_csr`: the argument of `product`."""
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
    result: Tensor = _Product.apply(matrix, transposed, x)  # type: ignore[no-untyped-call]
    return result


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
    total = x
    for layer in range(layers):  # Horner: (x + A (x + A x)) / 3 needs no sum beside the power
        share = 1 / (layers + 1) if layer == layers - 1 else 1
        total = torch.addmm(x, matrix, total, beta=share, alpha=share)
    return total


def propagate(matrix: Tensor, x: Tensor, layers: int) -> Tensor:
    """Mean of x, A x, ..., A^layers x for a symmetric A: light graph convolution (LightGCN, equations 3 and 4)."""
    result: Tensor = _Propagation.apply(matrix, x, layers)  # type: ignore[no-untyped-call]
    return result
