"""Columns of tables that others wrote."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tasks.quality.columns import whole_numbers, words


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 3, -4], [0, 3, -1]),
        ([1.0, 2.5, np.nan, np.inf, 1e300], [1, -1, -1, -1, -1]),
        (["7", "07", "x", "", None], [7, 7, -1, -1, -1]),
        (pd.array([1, None], dtype="Int64"), [1, -1]),
        ([], []),
    ],
)
def test_whole_numbers_are_told_from_all_else(values: list[object], expected: list[int]) -> None:
    """Negative, broken, missing and immense values all come out as -1; the rest as they are."""
    found = whole_numbers(pd.Series(values))
    assert found.dtype == np.int64
    assert found.tolist() == expected


def test_words_stay_as_written() -> None:
    """Ids keep their zeros, numbers become words, and what is missing is empty."""
    assert words(pd.Series(["007", None, "NA"])).tolist() == ["007", "", "NA"]
    assert words(pd.Series([7, 8])).tolist() == ["7", "8"]
