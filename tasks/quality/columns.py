"""Columns of tables that others wrote, read without trusting them."""

from __future__ import annotations

import numpy as np
import pandas as pd


def words(column: pd.Series) -> np.ndarray:
    """A column as (n,) of str, "" where it is missing."""
    return column.astype("string").fillna("").to_numpy(dtype=object).astype(str)


def whole_numbers(column: pd.Series) -> np.ndarray:
    """A column as (n,) int64; -1 where it is missing, no number, not whole or below zero."""
    if (
        isinstance(column.dtype, np.dtype) and column.dtype.kind == "i"
    ):  # a log of millions of rows, as it should be: no detour over floats
        return np.asarray(np.maximum(column.to_numpy(dtype=np.int64), -1))
    numbers = pd.to_numeric(column, errors="coerce").fillna(-1).to_numpy()
    good = (numbers >= 0) & (numbers == np.floor(numbers)) & (numbers < 2**53)  # beyond, floats skip numbers
    return np.where(good, numbers, -1).astype(np.int64)
