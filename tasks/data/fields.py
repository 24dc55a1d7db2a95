"""The types of fields of items: text, number, year, date and list; inferred by a rule, converted and checked.

Arrow's types are the types of fields, so that a stored table needs no other schema: string, double, int16, date32 and
list<string>. An empty cell is a field that the item does not have: null, and never an empty text or list.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

import numpy as np
import pyarrow as pa

from tasks.data.columns import NUMBER
from tasks.data.ids import compose, quote
from tasks.data.rows import INNER
from tasks.errors import BadInput

TYPES: dict[str, pa.DataType] = {
    "text": pa.string(),
    "number": pa.float64(),
    "year": pa.int16(),
    "date": pa.date32(),
    "list": pa.list_(pa.string()),
}
USUAL = {"title": "text", "year": "year", "genres": "list", "people": "list", "plot": "text", "tags": "list"}
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
PADDED = re.compile(r"[+-]?0\d.*")  # a code, such as of an article, and no number
YEAR = re.compile(r"[1-9]\d{0,3}(\.0+)?")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
ABSENT = "nan"  # how programs write a number that is not there, in any case
Cell = str | int | float | bool | date | list[str] | None


def infer_type(name: str, column: pa.ChunkedArray) -> str:
    """The type of the field `name`: that of its usual name, else by what all cells are.

    Numbers if all are, none of them with zeros in front; dates if all are YYYY-MM-DD; a list in Parquet; else text.
    """
    if name in USUAL:
        return USUAL[name]
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return "date"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return "list"
    cells = {text.strip() for text in column.unique().to_pylist() if isinstance(text, str) and text.strip()}
    if cells and all(NUMBER.fullmatch(cell) and not PADDED.fullmatch(cell) for cell in cells):
        return "number"
    return "date" if cells and all(DATE.fullmatch(cell) for cell in cells) else "text"


def convert(column: pa.ChunkedArray, kind: str, name: str, separator: str) -> pa.Array:
    """Cells as the type `kind` (of TYPES), null where there is nothing. `name` begins messages, such as `column year`.

    Raises BadInput with the first row, from 1, that is not of the type. A list is split at `separator`.
    """
    read = READERS[kind]
    values: list[Cell] = []
    for row, cell in enumerate(column.to_pylist(), start=1):
        try:
            tidy = _tidy(cell) if isinstance(cell, str) else cell
            values.append(None if _is_absent(tidy) else read(tidy, separator))
        except ValueError as error:
            raise BadInput(
                f"{name} has {quote(str(cell))} in row {row}, expected {error} (--type chooses another type)"
            ) from None
    return pa.array(values, TYPES[kind])


def read_numbers(column: pa.ChunkedArray, name: str) -> np.ndarray:
    """Numbers (n,) float64, NaN where there is none: an empty cell, or NaN. BadInput with the first other row."""
    values = np.full(len(column), np.nan)
    for row, cell in enumerate(column.to_pylist()):
        if cell is None or (isinstance(cell, str) and cell.strip().lower() in {"", ABSENT}):
            continue
        try:
            values[row] = cell if isinstance(cell, float) and np.isnan(cell) else _number(cell, "")
        except ValueError as error:
            raise BadInput(f"{name} has {quote(str(cell))} in row {row + 1}, expected {error}") from None
    return values


def is_numeric(column: pa.ChunkedArray) -> bool:
    """Whether all cells that hold anything are numbers, and one does."""
    try:
        return bool(np.isfinite(read_numbers(column, "")).any())
    except BadInput:
        return False


def _tidy(text: str) -> str:
    """Composed, with line ends where a quoted value had them, without blanks around.

    ValueError for other control characters: a title is shown in terminals and emails.
    """
    plain = compose(text.replace(chr(INNER), "\n").strip())
    if CONTROL.search(plain):
        raise ValueError("a text without control characters")
    return plain


def _is_absent(cell: Cell) -> bool:
    return cell is None or cell == "" or (isinstance(cell, float) and np.isnan(cell))


def _text(cell: Cell, separator: str) -> str:
    del separator
    if isinstance(cell, list):
        raise ValueError("a text")  # noqa: TRY004  one kind of error for all types
    return str(cell)


def _number(cell: Cell, separator: str) -> float:
    del separator
    if isinstance(cell, str) and not NUMBER.fullmatch(cell):
        raise ValueError("a number")
    try:
        value = float(cell)  # type: ignore[arg-type]  # dates and lists raise
    except (TypeError, OverflowError) as error:
        raise ValueError("a number") from error
    if not np.isfinite(value):
        raise ValueError("a finite number")
    return value


def _year(cell: Cell, separator: str) -> int:
    del separator
    if not YEAR.fullmatch(str(cell)):
        raise ValueError("a year from 1 to 9999")
    return int(float(str(cell)))


def _date(cell: Cell, separator: str) -> date:
    del separator
    if isinstance(cell, date):
        return cell
    text = str(cell)[:10]
    try:
        return date.fromisoformat(text if DATE.fullmatch(text) else "")
    except ValueError as error:
        raise ValueError("a date as YYYY-MM-DD") from error


def _list(cell: Cell, separator: str) -> list[str] | None:
    words = cell.split(separator) if isinstance(cell, str) else cell
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError(f"a list of texts between {separator!r}")
    kept = [_tidy(word) for word in words]
    return list(dict.fromkeys(word for word in kept if word)) or None


READERS: dict[str, Callable[[Cell, str], Cell]] = {
    "text": _text,
    "number": _number,
    "year": _year,
    "date": _date,
    "list": _list,
}
