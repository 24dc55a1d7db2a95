"""Item neighbours by common users: the k nearest by shrunk cosine, without building (items, items) at once."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from tasks.data.blocks import CELLS


def neighbours(interactions: sparse.csr_matrix, k: int, shrink: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the `k` nearest other items of every item, (items, k) int64, and their similarities, (items, k) float32.

    Nearest first, without repeats. Items without common users are not neighbours: missing ones are filled with the
    first other items of the catalogue (and, if `k` is the number of items, the item itself), with similarity 0.
    """
    columns = interactions.astype(np.float32)
    rows = columns.T.tocsr()
    items = interactions.shape[1]
    norms = np.sqrt(np.asarray(columns.sum(axis=0)).ravel())
    nearest = np.zeros((items, k), dtype=np.int64)
    similarity = np.zeros((items, k), dtype=np.float32)
    size = max(1, CELLS // items)  # of a block with users in common everywhere, 128 MiB
    for start in range(0, items, size):
        block = rows[start : start + size] @ columns  # (block, items): users in common
        for item, (low, high) in enumerate(zip(block.indptr[:-1], block.indptr[1:], strict=True), start):
            others = block.indices[low:high]
            cosines = block.data[low:high] / (norms[item] * norms[others] + np.float32(shrink))
            own = others == item  # an item is not its own neighbour
            nearest[item], similarity[item] = _best(item, others[~own], cosines[~own], nearest.shape)
    return nearest, similarity


def sparse_columns(nearest: np.ndarray, weights: np.ndarray) -> sparse.csr_matrix:
    """B (items, items) whose column j holds `weights` (items, k) of the items `nearest` (items, k) to j, as CSR."""
    items, k = nearest.shape
    starts = np.arange(0, items * k + 1, k)
    return sparse.csr_matrix((weights.ravel(), nearest.ravel(), starts), shape=(items, items)).T.tocsr()


def _best(item: int, others: np.ndarray, cosines: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return (k,) items and (k,) cosines of one item, chosen from all with common users; `shape` is (items, k)."""
    items, k = shape
    if len(others) > k:
        best = np.argpartition(-cosines, k - 1)[:k]
        others, cosines = others[best], cosines[best]
    order = np.lexsort((others, -cosines))
    missing = k - len(order)
    if not missing:
        return others[order], cosines[order]
    first = np.arange(min(k + 1, items))
    first = np.append(first[first != item], item)
    fill = first[~np.isin(first, others)][:missing]
    return np.concatenate([others[order], fill]), np.pad(cosines[order], (0, missing))
