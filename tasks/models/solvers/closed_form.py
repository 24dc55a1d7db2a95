"""The closed form of EASE, in place: one (items, items) float32 matrix and little more memory.

Steck, Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019, equation 8: with G a Gram matrix of the items,
P = (G + lambda I)^-1 and B_ij = -P_ij / P_jj off the diagonal, 0 on it.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.linalg import lapack

from tasks.errors import BadInput, Diverged

BLOCK = 512  # columns per block, so that only the one matrix is large


def require_memory(model: str, items: int, needed: int, memory_gib: float) -> None:
    """Raise BadInput if the `needed` bytes to fit `model` on `items` items exceed `memory_gib`."""
    if needed > memory_gib * 2**30:
        raise BadInput(
            f"{model} on {items} items needs {needed / 2**30:.1f} GiB, expected at most {memory_gib:g} GiB: "
            f"give more memory, raise k_core, or leave {model} out of the models"
        )


def peak_bytes(items: int) -> int:
    """Return the peak memory of a fit in bytes: the float32 matrix and four blocks of its columns."""
    return 4 * items * (items + 4 * min(BLOCK, items))


def gram(interactions: sparse.csr_matrix) -> np.ndarray:
    """Return X'X as a dense float32 matrix in Fortran order, for LAPACK in place; counts are exact below 2^24."""
    columns = interactions.tocsc().astype(np.float32)
    rows = columns.T.tocsr()
    items = interactions.shape[1]
    result = np.empty((items, items), dtype=np.float32, order="F")
    for start in range(0, items, BLOCK):
        result[:, start : start + BLOCK] = (rows @ columns[:, start : start + BLOCK]).toarray()
    return result


def weights_in_place(matrix: np.ndarray, l2: float | np.ndarray) -> np.ndarray:
    """Return B of EASE from a Gram matrix, which is overwritten: (items, items) float32 in Fortran order.

    `l2` is lambda, one for all items or (items,).
    """
    inverse = inverse_in_place(matrix, l2)
    inverse *= (-1.0 / np.einsum("ii->i", inverse))[None, :]
    np.einsum("ii->i", inverse)[:] = 0.0
    return inverse


def inverse_in_place(matrix: np.ndarray, l2: float | np.ndarray) -> np.ndarray:
    """Return (G + lambda I)^-1 from a Gram matrix, which is overwritten: symmetric, float32, in Fortran order."""
    diagonal = np.einsum("ii->i", matrix)
    diagonal += np.asarray(l2, dtype=np.float32)
    inverse, failed = lapack.spotrf(matrix, lower=1, clean=0, overwrite_a=1)
    if not failed:
        inverse, failed = lapack.spotri(inverse, lower=1, overwrite_c=1)
    if failed:
        raise Diverged(
            f"the closed form found its matrix not positive definite at row {failed}, expected it to be: "
            f"raise relative_l2 (lambda is {np.mean(l2):g})"
        )
    for start in range(0, len(inverse), BLOCK):  # LAPACK fills the lower triangle only
        stop = min(start + BLOCK, len(inverse))
        square = np.tril(inverse[start:stop, start:stop])
        inverse[start:stop, start:stop] = square + np.tril(square, -1).T
        inverse[start:stop, stop:] = inverse[stop:, start:stop].T
    return inverse
