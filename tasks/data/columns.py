"""Converts columns of an Arrow table to checked NumPy arrays: ratings, times, labels. Messages count rows from 1."""

from __future__ import annotations

import bisect
import re

import numpy as np
import pyarrow as pa

from tasks.data.ids import quote
from tasks.errors import BadInput

NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
LATEST = 100_000_000_000  # seconds, beyond the year 5000: larger values are milliseconds
MICROSECONDS = pa.timestamp("us")


def finite(column: pa.ChunkedArray, name: str) -> np.ndarray:
    """Return (n,) float64; raises BadInput with the first row whose number is missing or not finite."""
    if pa.types.is_null(column.type):
        raise BadInput(f"{name} has no value in any row, expected a number in each")
    if _is_text(column):
        values = _parse(column, name)
    elif pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        values = np.asarray(column.cast(pa.float64(), safe=False).to_numpy())
    else:
        raise BadInput(f"{name} is of type {column.type}, expected numbers")
    wrong = ~np.isfinite(values)
    if wrong.any():
        row = int(np.argmax(wrong))
        problem = "no number" if not column[row].is_valid else "a number that is not finite"
        raise BadInput(
            f"{name} has {problem} in row {row + 1} ({int(wrong.sum())} such rows), expected a finite number in each"
        )
    return values


def grades(column: pa.ChunkedArray, name: str) -> np.ndarray:
    """Return ratings (n,) float64; true is 1 and false 0. Errors as in `finite`."""
    return finite(column.cast(pa.int8()) if pa.types.is_boolean(column.type) else column, name)


def seconds(column: pa.ChunkedArray, name: str) -> np.ndarray:
    """Return (n,) int64 seconds since 1970, from seconds or from ISO 8601 dates and times; fractions are truncated.

    Times without a zone are UTC.
    """
    if _is_text(column) and not NUMBER.fullmatch(column[0].as_py() or ""):
        column = _times(column, name)
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        if column.null_count:
            row = int(np.argmax(column.is_null().to_numpy())) + 1
            raise BadInput(f"{name} has no time in row {row} ({column.null_count} such rows), expected one in each")
        return np.asarray(column.cast(MICROSECONDS, safe=False).cast(pa.int64()).to_numpy() // 1_000_000)
    values = finite(column, name)
    far = np.abs(values) > LATEST
    if far.any():
        row = int(np.argmax(far))
        raise BadInput(
            f"{name} has the time {values[row]:.0f} in row {row + 1}, expected seconds since 1970: divide milliseconds "
            "by 1000"
        )
    return np.floor(values).astype(np.int64)


def labels(column: pa.ChunkedArray, name: str) -> np.ndarray:
    """Return (n,) int8 labels: 0 (train), 1 (valid), 2 (test)."""
    values = finite(column, name)
    wrong = ~np.isin(values, (0, 1, 2))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise BadInput(f"{name} has {values[row]:g} in row {row + 1}, expected 0 (train), 1 (valid) and 2 (test)")
    return values.astype(np.int8)


def _is_text(column: pa.ChunkedArray) -> bool:
    return bool(pa.types.is_string(column.type) or pa.types.is_large_string(column.type))


def _parse(column: pa.ChunkedArray, name: str) -> np.ndarray:
    """Return texts as numbers, nulls as NaN; each distinct text is parsed once."""
    encoded = column.dictionary_encode().unify_dictionaries().combine_chunks()
    words = encoded.dictionary.to_pylist() if len(column) else []
    codes = encoded.indices.fill_null(len(words)).to_numpy()
    odd = next((place for place, word in enumerate(words) if not NUMBER.fullmatch(word)), None)
    if odd is not None:
        raise BadInput(f"{name} has {quote(words[odd])} in row {int(np.argmax(codes == odd)) + 1}, expected numbers")
    return np.array([*map(float, words), np.nan])[codes]


def _times(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Return texts as times. Arrow already converts uniform columns, so the remaining ones may be mixed or wrong."""
    zoned = pa.timestamp("us", tz="UTC")
    kind = MICROSECONDS if _casts(column.slice(0, 1), MICROSECONDS) else zoned
    if _casts(column, kind):
        return column.cast(kind)
    rows = range(1, len(column) + 1)
    row = bisect.bisect_left(rows, x=True, key=lambda end: not _casts(column.slice(0, end), kind))
    raise BadInput(
        f"{name} has the time {quote(column[row].as_py() or '')} in row {row + 1}, expected seconds or ISO 8601, "
        "with a zone in all rows or in none"
    )


def _casts(column: pa.ChunkedArray, kind: pa.DataType) -> bool:
    try:
        column.cast(kind)
    except pa.ArrowInvalid:
        return False
    return True
