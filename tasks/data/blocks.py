"""Rows in blocks whose table of scores fits into memory, however many rows and columns there are."""

from __future__ import annotations

import numpy as np

CELLS = 2**24  # held at once: 64 MiB of float32


def row_blocks(rows: np.ndarray, columns: int) -> list[np.ndarray]:
    """`rows` in their order, in blocks of at most CELLS cells, of one row at least."""
    size = max(1, CELLS // columns)
    return [rows[start : start + size] for start in range(0, len(rows), size)]
