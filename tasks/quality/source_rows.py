"""Facts about the rows of a prepared feature: each is the source row of its item, or was filled and is named."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tasks.quality.suite import ID, Table, all_true

BLOCK = 8192  # rows compared at once: a second copy of a matrix may not fit into memory


@dataclass(frozen=True)
class Source:
    """A feature before preparation: `array` (n, d), ids `keys` (n,) of str, and the ids that it was `filled` for."""

    array: np.ndarray
    keys: np.ndarray
    filled: np.ndarray


def rows_table(about: str, ids: np.ndarray, origins: np.ndarray, array: np.ndarray, source: Source) -> Table:
    """One row per vector of `array` (m, d), of item `ids` (m,) and made from the row of item `origins` (m,) of str."""
    rows = min(len(array), len(ids))
    place = pd.Index(source.keys).get_indexer(pd.Index(origins[:rows]))
    filled = np.isin(ids[:rows], source.filled)
    same = np.where(filled, place < 0, same_rows(array[:rows], source.array, place))
    finite = np.zeros(rows, dtype=bool)
    if array.dtype.kind in "fiu":
        finite = np.isfinite(array[:rows]).all(axis=tuple(range(1, array.ndim)))
    frame = pd.DataFrame({ID: ids[:rows], "same": same, "finite": finite})
    expected = "the bytes of the source row, or its name in filled.csv where there is none"
    rules = [
        all_true("rows_equal_their_source", about, expected, "same"),
        all_true("vectors_are_finite", about, "no NaN and no infinity", "finite"),
    ]
    return Table(f"{about} rows", frame, rules)


def same_rows(array: np.ndarray, source: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Return (n,) bool: whether each row of (n, d) has the bytes of row `index` of (m, d); False without such a row."""
    same = np.zeros(len(array), dtype=bool)
    if array.ndim < 2 or array.dtype != source.dtype or array.shape[1:] != source.shape[1:]:
        return same
    for start in range(0, len(array), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(array)))
        rows = rows[(index[rows] >= 0) & (index[rows] < len(source))]
        left, right = (np.ascontiguousarray(part).view(np.uint8) for part in (array[rows], source[index[rows]]))
        same[rows] = (left == right).all(axis=tuple(range(1, left.ndim)))
    return same
