"""Reads columns of untrusted tables."""

from __future__ import annotations

import numpy as np
import pandas as pd


def words(column: pd.Series) -> np.ndarray:
    """Return a column as (n,) of str, "" for missing values."""
    return column.astype("string").fillna("").to_numpy(dtype=object).astype(str)


def whole_numbers(column: pd.Series) -> np.ndarray:
    """Return a column as (n,) int64; -1 for missing values, and for all but nonnegative integers."""
    if (
        isinstance(column.dtype, np.dtype) and column.dtype.kind == "i"
    ):  # the usual case, also for millions of rows: no conversion to floats
        return np.asarray(np.maximum(column.to_numpy(dtype=np.int64), -1))
    numbers = pd.to_numeric(column, errors="coerce").fillna(-1).to_numpy()
    good = (
        (numbers >= 0) & (numbers == np.floor(numbers)) & (numbers < 2**53)
    )  # beyond 2^53 floats cannot represent all integers
    return np.where(good, numbers, -1).astype(np.int64)
