"""One half-step of alternating least squares: every row of one side is solved against the other side.

Hu, Koren, Volinsky, Collaborative Filtering for Implicit Feedback Datasets, ICDM 2008, equation 4: with Y_u the rows of
u's items, x_u = (G + (alpha - 1) Y_u'Y_u + lambda_u I)^-1 (alpha Y_u'1 + b_u). There G is Y'Y and b_u is 0; further
terms that a row must fit are added to both. Lambda may grow with the history of a row, as in Rendle, Krichene, Zhang,
Koren, Revisiting the Performance of iALS on Item Recommendation Benchmarks, RecSys 2022.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy import sparse

from tasks.errors import Diverged

BLOCK = 64  # rows solved at once: each thread has that many matrices (d, d) in memory


def growth(interactions: sparse.csr_matrix, alpha: float, exponent: float) -> np.ndarray:
    """Return (n,) factors of lambda: a row's mean pair weight to the power `exponent`; 1 for an empty history."""
    return np.power(1 + (alpha - 1) * np.diff(interactions.indptr) / interactions.shape[1], exponent)


def solve_rows(
    others: np.ndarray,
    interactions: sparse.csr_matrix,
    alpha: float,
    l2: np.ndarray,
    grams: np.ndarray,
    *,
    kinds: np.ndarray | None = None,
    right: np.ndarray | None = None,
    threads: int = 1,
) -> np.ndarray:
    """Solve all rows; returns (n, d) in the precision of `grams`, equal for any number of threads if BLAS has one.

    `others` (m, d); `interactions` (n, m) CSR of ones; `l2` (n,) lambda of each row; `grams` (kinds, d, d) G of each
    kind of row and `kinds` (n,) the kind of each row, None if there is one kind; `right` (n, d) b, None if it is 0.
    Raises Diverged if the equations of a row are singular.
    """
    rows, size, starts, columns = interactions.shape[0], others.shape[1], interactions.indptr, interactions.indices
    solution = np.empty((rows, size), dtype=grams.dtype)
    kinds = np.zeros(rows, dtype=np.intp) if kinds is None else kinds

    @np.errstate(over="ignore", invalid="ignore")  # per thread; the model checks that results are finite
    def solve(start: int) -> None:
        block = slice(start, min(start + BLOCK, rows))
        left = grams[kinds[block]]  # a copy
        np.einsum("nii->ni", left)[:] += l2[block, None]
        wanted = np.zeros((len(left), size), dtype=grams.dtype) if right is None else right[block].copy()
        for place, row in enumerate(range(start, block.stop)):
            own = others[columns[starts[row] : starts[row + 1]]].astype(grams.dtype, copy=False)
            left[place] += (alpha - 1) * (own.T @ own)
            wanted[place] += alpha * own.sum(axis=0)
        try:
            solution[block] = np.linalg.solve(left, wanted[..., None])[..., 0]
        except np.linalg.LinAlgError as error:
            raise Diverged(f"least squares: {error}, expected one that has a solution: raise relative_l2") from error

    blocks = range(0, rows, BLOCK)
    if threads == 1:  # without a pool, for a quick answer for a single row
        for start in blocks:
            solve(start)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(solve, blocks))
    return solution
