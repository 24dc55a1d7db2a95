"""Sparse EASE: each item has weights only for its nearest items, so memory is linear in the items.

Each item j is a ridge regression on its N neighbours S: b_j = (G_SS + lambda I)^-1 G_Sj with G = X'X. Steck, Markov
Random Fields for Collaborative Filtering, NeurIPS 2019, has regressing each variable on its neighbours as one end of
its sparse approximation; Ning, Karypis, SLIM: Sparse Linear Methods for Top-N Recommender Systems, ICDM 2011, choose
neighbours by cosine. With all other items as neighbours it is EASE.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse
from scipy.linalg import lapack
from scipy.sparse.csgraph import reverse_cuthill_mckee

from tasks.data.blocks import CELLS
from tasks.errors import Diverged
from tasks.models.solvers.item_neighbours import neighbours, sparse_columns

UNION = 4096  # items whose Gram matrix is in memory at once: 64 MiB
CLOSEST = 16  # neighbours used to order the items


def estimate_pruned_bytes(items: int, kept: int) -> int:
    """Return the peak memory of a fit in bytes: neighbours, cosines, weights by columns and by rows, some blocks."""
    blocks = max(CELLS, UNION**2, kept**2)
    return 28 * items * kept + 16 * min(blocks, items**2)


def solve_pruned(interactions: sparse.csr_matrix, kept: int, l2: float) -> sparse.csr_matrix:
    """Return B (items, items) float32: column j holds the weights of the `kept` nearest other items by cosine."""
    from threadpoolctl import threadpool_limits  # noqa: PLC0415  not needed to score

    items = interactions.shape[1]
    nearest, _ = neighbours(interactions, kept, shrink=0.0)
    rows = interactions.T.astype(np.float32).tocsr()
    weights = np.empty((items, kept), dtype=np.float32)
    place = np.empty(items, dtype=np.int64)
    with threadpool_limits(1, "blas"):  # for such small matrices a second thread costs more than it saves
        for block in _blocks(nearest):
            union = np.union1d(nearest[block], block)
            place[union] = np.arange(len(union))
            gram = (rows[union] @ rows[union].T).toarray()  # (u, u)
            for item in block:
                weights[item] = _solve_item(gram, place[nearest[item]], place[item], l2)
    return sparse_columns(nearest, weights)


def _blocks(nearest: np.ndarray) -> Iterator[np.ndarray]:
    """Yield all items once, in blocks (b,) that share most of their neighbours."""
    items = len(nearest)
    closest = nearest[:, :CLOSEST]
    edges = np.ones(closest.size, dtype=np.int8), (np.repeat(np.arange(items), closest.shape[1]), closest.ravel())
    order = reverse_cuthill_mckee(sparse.csr_matrix(edges, shape=(items, items)), symmetric_mode=False)
    start, size = 0, 1
    while start < items:
        size *= 2
        while size > 1 and len(np.unique(nearest[order[start : start + size]])) > UNION - size:
            size //= 2
        yield order[start : start + size]
        start += size


def _solve_item(gram: np.ndarray, others: np.ndarray, own: int, l2: float) -> np.ndarray:
    """Return the weights (kept,) of `others` (kept,) for `own`; all are row numbers of `gram`."""
    local = gram[others][:, others]
    np.einsum("ii->i", local)[:] += np.float32(l2)
    _, weights, failed = lapack.sposv(local, gram[others, own], lower=1, overwrite_a=1, overwrite_b=1)
    if failed:
        raise Diverged(
            f"the closed form found a matrix of {len(others)} neighbours not positive definite, expected it to be: "
            f"raise relative_l2 (lambda is {l2:g})"
        )
    return np.asarray(weights)
