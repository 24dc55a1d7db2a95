"""A turn of alternating least squares: every row of one side solved by itself against the other side.

Hu, Koren, Volinsky, Collaborative Filtering for Implicit Feedback Datasets, ICDM 2008, equation 4: with Y_u the rows of
what u took, x_u = (G + (alpha - 1) Y_u'Y_u + lambda_u I)^-1 (alpha Y_u'1 + b_u). There G is Y'Y and b_u is 0; what else
a row has to fit comes on top of both. Lambda may grow with what a row took, as in Rendle, Krichene, Zhang, Koren,
Revisiting the Performance of iALS on Item Recommendation Benchmarks, RecSys 2022.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy import sparse

from tasks.errors import Diverged

BLOCK = 64  # rows solved at once: as many matrices (d, d) are held by each thread


def growth(taken: sparse.csr_matrix, alpha: float, exponent: float) -> np.ndarray:
    """(n,) factors of lambda, 1 for who took nothing: the weights of a row's pairs over their number, ^ `exponent`."""
    return np.power(1 + (alpha - 1) * np.diff(taken.indptr) / taken.shape[1], exponent)


def rows_solved(
    others: np.ndarray,
    taken: sparse.csr_matrix,
    alpha: float,
    l2: np.ndarray,
    grams: np.ndarray,
    *,
    kinds: np.ndarray | None = None,
    right: np.ndarray | None = None,
    threads: int = 1,
) -> np.ndarray:
    """(n, d) in the precision of `grams`, the same on any number of threads as long as BLAS has one.

    `others` (m, d); `taken` (n, m) CSR of ones; `l2` (n,) lambda of each row; `grams` (kinds, d, d) G of each kind of
    row and `kinds` (n,) which one a row has, none where there is one kind; `right` (n, d) b, none where it is 0.
    Diverged when the equations of a row have no single solution.
    """
    rows, size = taken.shape[0], others.shape[1]
    found = np.empty((rows, size), dtype=grams.dtype)
    kinds = np.zeros(rows, dtype=np.intp) if kinds is None else kinds

    @np.errstate(over="ignore", invalid="ignore")  # in each thread; what is not finite the model refuses
    def solve(start: int) -> None:
        block = slice(start, min(start + BLOCK, rows))
        left = grams[kinds[block]]  # a copy
        np.einsum("nii->ni", left)[:] += l2[block, None]
        wanted = np.zeros((len(left), size), dtype=grams.dtype) if right is None else right[block].copy()
        for place, row in enumerate(range(start, block.stop)):
            own = others[taken.indices[taken.indptr[row] : taken.indptr[row + 1]]].astype(grams.dtype, copy=False)
            left[place] += (alpha - 1) * (own.T @ own)
            wanted[place] += alpha * own.sum(axis=0)
        try:
            found[block] = np.linalg.solve(left, wanted[..., None])[..., 0]
        except np.linalg.LinAlgError as error:
            raise Diverged(f"least squares: {error}, expected one that has a solution: raise relative_l2") from error

    starts = range(0, rows, BLOCK)
    if threads == 1:  # somebody waits for a single row
        for start in starts:
            solve(start)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(solve, starts))
    return found
