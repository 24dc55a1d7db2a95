"""Reads interaction logs in common formats: MMRec `.inter`, MovieLens `ratings.dat`, CSV, TSV, Parquet; also gzipped.

Uses Arrow with dictionary-encoded ids, so that 25 million rows need a few hundred megabytes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from tasks.data.columns import finite, labels, seconds
from tasks.data.formats import FORMATS, Source, open_source, read_columns
from tasks.data.interactions import Interactions, codes_of
from tasks.data.order import order_within
from tasks.errors import BadInput, NotFound

__all__ = ["FORMATS", "Columns", "Reading", "read_interactions"]

# Column names that are recognised, those of MovieLens, RecBole and MMRec; they are case-sensitive.
USER = ("user_id", "userID", "userId", "UserID", "user")
ITEM = ("item_id", "itemID", "itemId", "ItemID", "item", "movieId", "MovieID")
RATING = ("rating", "Rating")
TIMESTAMP = ("timestamp", "Timestamp")
LABEL = ("x_label",)
TYPES = {"token", "token_seq", "float", "float_seq"}  # of RecBole's headers, `user_id:token`


@dataclass(frozen=True)
class Columns:
    """Names of the columns; None selects a recognised name."""

    user: str | None = None
    item: str | None = None
    rating: str | None = None
    timestamp: str | None = None


@dataclass(frozen=True)
class Reading:
    """The interactions, how the format was detected, and how many rows were left out."""

    interactions: Interactions
    format: str
    why: str
    rows: int
    below_threshold: int
    duplicates: int


def read_interactions(
    path: Path,
    *,
    format_name: str = "auto",
    columns: Columns | None = None,
    threshold: float | None = None,
    implicit: bool = False,
) -> Reading:
    """Read a log. Of repeated pairs only the earliest row is kept (without timestamps, the first row).

    A log with ratings needs `threshold` (keeps rows rated at least that) or `implicit` (keeps every row). Raises
    BadInput if it has neither, and for missing columns, missing or unusable ids, and invalid numbers or times. Messages
    count rows from 1, without the header.
    """
    columns = columns or Columns()
    if not path.is_file():
        raise NotFound(f"{path} does not exist, expected a file of interactions")
    source = open_source(path, format_name)
    user = _required(source, "user", columns.user, USER)
    item = _required(source, "item", columns.item, ITEM)
    rating = _optional(source, "rating", columns.rating, RATING)
    _check_threshold(source, rating, threshold, implicit=implicit)
    timestamp = _optional(source, "timestamp", columns.timestamp, TIMESTAMP)
    label = _optional(source, "label", None, LABEL)
    used = [user, item, *([rating] if rating and threshold is not None else [])]
    used += [name for name in (timestamp, label) if name]
    if len(set(used)) < len(used):
        raise BadInput(f"{path.name} would be read with columns {used}, expected a different one for each purpose")
    table = read_columns(source, used, [user, item])
    if not table.num_rows:
        raise BadInput(f"{path.name} has no rows, expected interactions")
    above = None if rating is None or threshold is None else _above(table[rating], path, rating, threshold)
    log = _log(table, path.name, [user, item], timestamp, label)
    if above is not None and not above.all():
        log = log.take(above)
    first = _first_of_each_pair(log)
    return Reading(
        interactions=log if first.all() else log.take(first),
        format=source.format,
        why=source.why,
        rows=table.num_rows,
        below_threshold=table.num_rows - len(log),
        duplicates=int(len(first) - first.sum()),
    )


def _log(table: pa.Table, file: str, ids: list[str], timestamp: str | None, label: str | None) -> Interactions:
    (users, user_ids), (items, item_ids) = (codes_of(table[name], f"column {name} of {file}") for name in ids)
    return Interactions(
        users=users,
        items=items,
        user_ids=user_ids,
        item_ids=item_ids,
        timestamps=seconds(table[timestamp], f"column {timestamp} of {file}") if timestamp else None,
        labels=labels(table[label], f"column {label} of {file}") if label else None,
    )


def _required(source: Source, what: str, wanted: str | None, usual: tuple[str, ...]) -> str:
    name = _optional(source, what, wanted, usual)
    if name is None:
        raise BadInput(
            f"{source.path.name}, read as {source.format}, has columns {source.columns[:20]}, expected one for the "
            f"{what}: {', '.join(usual)}, or another that --{what}-column names"
        )
    return name


def _optional(source: Source, what: str, wanted: str | None, usual: tuple[str, ...]) -> str | None:
    """Return a column by name; RecBole's type after a colon is ignored."""
    plain: dict[str, str] = {}
    for name in source.columns:
        word, _, kind = name.rpartition(":")
        plain[word if kind in TYPES else name] = name
    if wanted is not None:
        if wanted not in plain and wanted not in source.columns:
            raise BadInput(f"{source.path.name} has columns {source.columns[:20]}, expected the {what} in {wanted!r}")
        return wanted if wanted in source.columns else plain[wanted]
    candidates = [plain[name] for name in usual if name in plain]
    if len(candidates) > 1:
        raise BadInput(
            f"{source.path.name} has columns {candidates} for the {what}, expected one: choose it by --{what}-column"
        )
    return candidates[0] if candidates else None


def _check_threshold(source: Source, rating: str | None, threshold: float | None, *, implicit: bool) -> None:
    if threshold is not None and not math.isfinite(threshold):
        raise BadInput(f"--threshold {threshold} found, expected a finite number")
    if rating is None and threshold is not None:
        raise BadInput(
            f"--threshold {threshold:g} found for {source.path.name} with columns {source.columns[:20]}, expected one "
            "with ratings: name it by --rating-column, or leave --threshold out"
        )
    if rating is not None and (threshold is None) != implicit:
        both = "both --threshold and --implicit" if implicit else "neither --threshold nor --implicit"
        raise BadInput(
            f"{source.path.name} has ratings in column {rating!r} and {both} was given, expected either --threshold "
            "(keep the rows rated at least that) or --implicit (keep every row)"
        )


def _above(column: pa.ChunkedArray, path: Path, rating: str, threshold: float) -> np.ndarray:
    """Return an (n,) bool mask of the rows rated at least `threshold`."""
    values = finite(column, f"column {rating} of {path.name}")
    kept = values >= threshold
    if not kept.any():
        raise BadInput(
            f"{path.name} has no rating of at least {threshold:g}, expected some (the highest is {values.max():g})"
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
