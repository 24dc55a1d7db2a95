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
    ones = interactions.astype(np.float64)
    scale = [_inverse_root(np.asarray(ones.sum(axis=axis)).ravel()) for axis in (1, 0)]
    weights = sparse.diags_array(scale[0]) @ ones @ sparse.diags_array(scale[1])
    graph = sparse.block_array([[None, weights], [weights.T, None]], format="csr")
    graph.sort_indices()
    return graph.astype(np.float32)


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


class _SymmetricProduct(torch.autograd.Function):
    """A x for a constant symmetric A. The adjoint of x -> A x is A itself, so no transpose is ever built."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, x: Tensor) -> Tensor:  # noqa: ANN401  torch's own context object
        ctx.matrix = matrix
        return matrix @ x

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:  # noqa: ANN401
        return None, ctx.matrix @ gradients[0]


def symmetric_product(matrix: Tensor, x: Tensor) -> Tensor:
    """(n, d) product of a symmetric (n, n) CSR tensor, which gets no gradient, and (n, d) `x`, which does."""
    found: Tensor = _SymmetricProduct.apply(matrix, x)  # type: ignore[no-untyped-call]
    return found


def propagate(matrix: Tensor, x: Tensor, layers: int) -> Tensor:
    """Mean of x, A x, ..., A^layers x: light graph convolution with equal weights (LightGCN, equations 3 and 4)."""
    total = power = x
    for _ in range(layers):
        power = symmetric_product(matrix, power)
        total = total + power
    return total / (layers + 1)
