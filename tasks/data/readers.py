"""Reads interaction logs in common formats: MMRec `.inter`, MovieLens `ratings.dat`, CSV, TSV, Parquet; also gzipped.

Uses Arrow with dictionary-encoded ids, so that 25 million rows need a few hundred megabytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tasks.data.columns import grades, labels, seconds
from tasks.data.formats import FORMATS, open_source, read_columns
from tasks.data.interactions import Interactions, codes_of
from tasks.data.order import order_within
from tasks.data.roles import Columns, Roles, choose_roles
from tasks.errors import BadInput, NotFound

__all__ = ["FORMATS", "Columns", "Reading", "Roles", "read_interactions"]


@dataclass(frozen=True)
class Reading:
    """The interactions, what was read as what, and how many rows were left out."""

    interactions: Interactions
    roles: Roles
    format: str
    why: str
    rows: int
    below_threshold: int
    duplicates: int


def read_interactions(
    path: Path,
    *,
    name: str | None = None,
    format_name: str = "auto",
    delimiter: str | None = None,
    columns: Columns | None = None,
    threshold: float | None = None,
    implicit: bool = False,
) -> Reading:
    """Read a log. Of repeated pairs only the earliest row is kept (without timestamps, the first row).

    A log with ratings needs `threshold` (keeps rows rated at least that) or `implicit` (keeps every row). Raises
    BadInput if it has neither, and for missing columns, missing or unusable ids, and invalid numbers or times, with the
    first row of each column that is wrong. Messages count rows from 1, without the header, and call the file `name`.
    """
    if not path.is_file():
        raise NotFound(f"{path} does not exist, expected a file of interactions")
    source = open_source(path, format_name, delimiter, name=name)
    roles = choose_roles(source, columns or Columns(), threshold, implicit=implicit)
    rated = roles.rating if threshold is not None else None
    used = [roles.user, roles.item, rated, roles.timestamp, roles.label]
    table = read_columns(source, [name for name in used if name], [roles.user, roles.item])
    if not table.num_rows:
        raise BadInput(f"{source.name} has no rows, expected interactions")
    log, ratings = _log(table, source.name, roles, rated)
    above = None if ratings is None or threshold is None else _above(ratings, source.name, threshold)
    if above is not None and not above.all():
        log = log.take(above)
    first = _first_of_each_pair(log)
    return Reading(
        interactions=log if first.all() else log.take(first),
        roles=roles,
        format=source.format,
        why=source.why,
        rows=table.num_rows,
        below_threshold=table.num_rows - len(log),
        duplicates=int(len(first) - first.sum()),
    )


def _log(table: pa.Table, file: str, roles: Roles, rated: str | None) -> tuple[Interactions, np.ndarray | None]:
    """Return all rows, and their ratings (n,) if they count; raises BadInput with what is wrong in each column."""
    wrong = []

    def convert(name: str | None, by: Callable[[pa.ChunkedArray, str], Any]) -> Any:  # noqa: ANN401  as `by` returns
        if name is None:
            return None
        try:
            return by(table[name], f"column {name} of {file}")
        except BadInput as error:
            wrong.append(str(error))
            return None

    users, items = convert(roles.user, codes_of), convert(roles.item, codes_of)
    times, marks = convert(roles.timestamp, _times), convert(roles.label, labels)
    ratings = convert(rated, grades)
    if wrong:
        raise BadInput("; ".join(wrong))
    (users, user_ids), (items, item_ids) = users, items
    return Interactions(users, items, user_ids, item_ids, timestamps=times, labels=marks), ratings


def _times(column: pa.ChunkedArray, name: str) -> np.ndarray:
    try:
        return seconds(column, name)
    except BadInput as error:
        raise BadInput(f"{error}; or --no-timestamp, which leaves times out") from error


def _above(ratings: np.ndarray, file: str, threshold: float) -> np.ndarray:
    """Return an (n,) bool mask of the rows rated at least `threshold`."""
    kept: np.ndarray = ratings >= threshold
    if not kept.any():
        raise BadInput(
            f"{file} has no rating of at least {threshold:g}, expected some (the highest is {ratings.max():g})"
        )
    return kept


def _first_of_each_pair(log: Interactions) -> np.ndarray:
    """Return an (n,) bool mask of the earliest row of each pair of user and item."""
    if order_within(log.users, log.items) is not None:
        return np.ones(len(log), dtype=bool)
    pairs = log.users.astype(np.int64) * len(log.item_ids) + log.items
    order = np.argsort(pairs, kind="stable") if log.timestamps is None else np.lexsort((log.timestamps, pairs))
    arranged = pairs[order]
    first = np.ones(len(pairs), dtype=bool)
    first[1:] = arranged[1:] != arranged[:-1]
    keep = np.zeros(len(pairs), dtype=bool)
    keep[order[first]] = True
    return keep
