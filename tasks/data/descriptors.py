"""Descriptors: named numbers of an item, such as the tempo and the loudness of a song, as a feature without media."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from tasks.data.fields import is_numeric, read_numbers
from tasks.data.ids import quote
from tasks.data.item_tables import ItemTable
from tasks.errors import BadInput

log = logging.getLogger(__name__)
Scale = Literal["standard", "minmax", "raw"]
Gaps = Literal["refuse", "mean", "drop"]
SCALES, GAPS = get_args(Scale), get_args(Gaps)
MOST_NAMED = 5


@dataclass(frozen=True)
class Descriptors:
    """n items of d columns: `values` (n, d) float32 are (number - `offset`) / `divisor`, both (d,) float64.

    `filled`: how many cells of each column are its mean, because they were empty; `dropped`: how many items are left
    out for that.
    """

    ids: list[str]
    columns: list[str]
    values: np.ndarray
    offset: np.ndarray
    divisor: np.ndarray
    filled: dict[str, int]
    dropped: int


def make_descriptors(table: ItemTable, *, chosen: Sequence[str] | None, scale: Scale, gaps: Gaps) -> Descriptors:
    """Numbers of the `chosen` columns, or of all that are numeric, scaled over the items that are kept.

    standard: mean 0 and variance 1 (of n items, not n - 1). minmax: 0 to 1. Empty cells are refused, filled with the
    mean of the column before scaling, or their items are dropped. Raises BadInput for cells that are no finite number,
    and for a column that cannot be scaled, because all its numbers are one.
    """
    names = choose_numeric(table) if chosen is None else list(chosen)
    if not names:
        raise BadInput(f"{table.source.describe()}, expected at least one column of numbers beside {table.item}")
    columns = [read_numbers(table.columns[name], f"column {name} of {table.name}") for name in names]
    numbers = np.stack(columns, axis=1)  # (items, columns)
    ids = table.ids
    lacking = np.isnan(numbers)
    filled: dict[str, int] = {}
    kept = np.ones(len(ids), dtype=bool)
    if lacking.any():
        _check_gaps(table, names, lacking, gaps)
        if gaps == "drop":
            kept = ~lacking.any(axis=1)
        else:
            filled = {name: int(count) for name, count in zip(names, lacking.sum(axis=0), strict=True) if count}
            numbers = np.where(lacking, np.nanmean(numbers, axis=0), numbers)
    numbers = numbers[kept]
    offset, divisor = fit_scale(table.name, names, numbers, scale)
    with np.errstate(over="ignore"):  # refused below
        values = np.ascontiguousarray((numbers - offset) / divisor, dtype=np.float32)
    _require_finite(table, names, values, ids[kept])
    return Descriptors(ids[kept].tolist(), names, values, offset, divisor, filled, int((~kept).sum()))


def choose_numeric(table: ItemTable) -> list[str]:
    """The columns that hold numbers alone; the others are logged."""
    numeric = [name for name, column in table.columns.items() if is_numeric(column)]
    others = [name for name in table.columns if name not in numeric]
    if others:
        log.warning("columns are ignored, they are not numbers alone: %s (--columns chooses some)", ", ".join(others))
    return numeric


def fit_scale(file: str, names: list[str], numbers: np.ndarray, scale: Scale) -> tuple[np.ndarray, np.ndarray]:
    """What is subtracted from each column, and what it is then divided by, both (d,) float64; `numbers` (n, d)."""
    width = numbers.shape[1]
    if scale == "raw":
        return np.zeros(width), np.ones(width)
    constant = [name for name, span in zip(names, np.ptp(numbers, axis=0), strict=True) if span == 0]
    if constant:
        raise BadInput(
            f"{file} has one number alone in {', '.join(constant)}, expected columns that tell items apart: leave it "
            "out by --columns, or --scale raw"
        )
    if scale == "minmax":
        return numbers.min(axis=0), np.ptp(numbers, axis=0)
    return numbers.mean(axis=0), numbers.std(axis=0)


def _check_gaps(table: ItemTable, names: list[str], lacking: np.ndarray, gaps: Gaps) -> None:
    """Raise BadInput for empty cells that are refused, and where nothing would be left."""
    empty = [names[column] for column in np.flatnonzero(lacking.all(axis=0))]
    if empty:
        raise BadInput(f"{table.name} has no number in {', '.join(empty)}, expected some: leave it out by --columns")
    rows = np.flatnonzero(lacking.any(axis=1))
    counts = zip(names, lacking.sum(axis=0).tolist(), strict=True)
    where = ", ".join(f"{name}: {count}" for name, count in counts if count)
    if gaps == "refuse":
        first = ", ".join(quote(str(item)) for item in table.ids[rows[:MOST_NAMED]])
        raise BadInput(
            f"{table.name} has {int(lacking.sum())} empty cells of {len(rows)} items ({where}), first of {first}; "
            "expected numbers: --missing mean fills them with the mean of the column, --missing drop leaves the items "
            "out"
        )
    if gaps == "drop" and len(rows) == len(lacking):
        raise BadInput(f"{table.name} has an empty cell in every row ({where}), expected some rows to be whole")
    done = "filled with the mean of their column" if gaps == "mean" else "left out with their items"
    log.info("%d empty cells of %d items are %s (%s)", int(lacking.sum()), len(rows), done, where)


def _require_finite(table: ItemTable, names: list[str], values: np.ndarray, ids: np.ndarray) -> None:
    rows, columns = np.nonzero(~np.isfinite(values))
    if len(rows):
        raise BadInput(
            f"column {names[columns[0]]} of {table.name} is not finite in float32 for item {quote(str(ids[rows[0]]))}, "
            "expected smaller numbers (--scale standard)"
        )
