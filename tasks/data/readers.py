"""Interaction logs as people have them: MMRec `.inter`, MovieLens `ratings.dat`, CSV, TSV, Parquet; plain or gzipped.

Read with Arrow, ids as dictionaries, so that 25 million rows need a few hundred megabytes.
"""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from tasks.data.interactions import Interactions, codes_of
from tasks.errors import BadInput, NotFound

FORMATS = ("inter", "dat", "csv", "tsv", "parquet")
LARGEST = 16 << 30  # bytes of an unpacked log
USER = ("user_id", "userID", "user", "userId", "UserID")
ITEM = ("item_id", "itemID", "item", "movieId", "MovieID", "itemId")
RATING = ("rating", "Rating")
TIMESTAMP = ("timestamp", "Timestamp", "time")
LABEL = ("x_label",)
DAT = ["user_id", "item_id", "rating", "timestamp"]


@dataclass(frozen=True)
class Columns:
    """Names of the columns; None looks for the usual ones."""

    user: str | None = None
    item: str | None = None
    rating: str | None = None
    timestamp: str | None = None


@dataclass(frozen=True)
class Reading:
    """What was read, and what was left out of it."""

    interactions: Interactions
    format: str
    rows: int
    below_threshold: int
    duplicates: int


def read_interactions(
    path: Path, *, format_name: str = "auto", columns: Columns | None = None, threshold: float | None = None, implicit: bool = False
) -> Reading:
    """Read a log. Of a pair that occurs more than once the earliest row stays (the first, without timestamps).

    A log with ratings needs `threshold` (rows rated at least that are kept) or `implicit` (every row counts); BadInput
    otherwise, and for missing columns, empty or null ids, and numbers that are none.
    """
    columns = columns or Columns()
    if not path.is_file():
        raise NotFound(f"{path} does not exist, expected a file of interactions")
    kind = format_of(path) if format_name == "auto" else format_name
    if kind not in FORMATS:
        raise BadInput(f"format {kind!r} found, expected one of auto, {', '.join(FORMATS)}")
    table = _table(path, kind)
    if not table.num_rows:
        raise BadInput(f"{path.name} has no rows, expected interactions")
    names = {
        "user": _column(table, path, "user", columns.user, USER),
        "item": _column(table, path, "item", columns.item, ITEM),
        "rating": _optional(table, path, columns.rating, RATING),
        "timestamp": _optional(table, path, columns.timestamp, TIMESTAMP),
        "label": _optional(table, path, None, LABEL),
    }
    rows = table.num_rows
    table = _above(table, path, names["rating"], threshold, implicit=implicit)
    below = rows - table.num_rows
    users, user_ids = codes_of(_ids(table, path, str(names["user"])))
    items, item_ids = codes_of(_ids(table, path, str(names["item"])))
    found = Interactions(
        users=users,
        items=items,
        user_ids=user_ids,
        item_ids=item_ids,
        timestamps=None if names["timestamp"] is None else _seconds(table, path, names["timestamp"]),
        labels=None if names["label"] is None else _labels(table, path, names["label"]),
    )
    keep = _first_of_each_pair(found)
    return Reading(found.take(keep), kind, rows, below, duplicates=int(len(keep) - keep.sum()))


def format_of(path: Path) -> str:
    """The format by the file's name (`.gz` apart); BadInput naming the formats when it tells nothing."""
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower().lstrip(".")
    if suffix not in FORMATS:
        raise BadInput(f"{path.name} has an unknown ending, expected .{', .'.join(FORMATS)} (or say --format)")
    return suffix


def _table(path: Path, kind: str) -> pa.Table:
    try:
        if kind == "parquet":
            return pq.read_table(path)
        with _unpacked(path) as (file, header):
            if kind == "dat":
                return _dat(file)
            separator = "," if kind == "csv" else "\t"
            names = [name.strip().strip('"') for name in header.rstrip("\r\n").split(separator)]
            text = {name: pa.dictionary(pa.int32(), pa.string()) for name in names if name.split(":")[0] in {*USER, *ITEM}}
            options = pcsv.ConvertOptions(column_types=text, strings_can_be_null=False, null_values=[""])
            return pcsv.read_csv(file, parse_options=pcsv.ParseOptions(delimiter=separator), convert_options=options)
    except (pa.ArrowInvalid, gzip.BadGzipFile, EOFError, UnicodeDecodeError) as error:
        raise BadInput(f"{path.name} is not readable as {kind}: {' '.join(str(error).split())[:300]}") from error


@contextmanager
def _unpacked(path: Path) -> Iterator[tuple[IO[bytes], str]]:
    """The plain bytes as a seekable file, and the first line; a byte order mark is skipped."""
    with path.open("rb") as raw, tempfile.TemporaryFile() as plain:
        file: IO[bytes] = raw
        if raw.read(2) == b"\x1f\x8b":
            raw.seek(0)
            with gzip.open(raw) as packed:
                while chunk := packed.read(1 << 24):
                    plain.write(chunk)
                    if plain.tell() > LARGEST:
                        raise BadInput(f"{path.name} unpacks to more than {LARGEST} bytes, expected at most that")
            file = plain
        file.seek(0)
        header = file.readline(1 << 16).decode("utf-8-sig")
        file.seek(0)
        yield file, header


def _dat(file: IO[bytes]) -> pa.Table:
    """MovieLens: `user::item::rating::timestamp` without a header. The double colon becomes a tab, in blocks."""
    with tempfile.TemporaryFile() as tabbed:
        rest = b""
        while chunk := file.read(1 << 24):
            block, newline, rest = (rest + chunk).rpartition(b"\n")
            tabbed.write(block.replace(b"::", b"\t") + newline)
        tabbed.write(rest.replace(b"::", b"\t"))
        tabbed.seek(0)
        if not tabbed.read(1):
            return pa.table({name: [] for name in DAT})
        tabbed.seek(0)
        text = dict.fromkeys(DAT[:2], pa.dictionary(pa.int32(), pa.string()))
        return pcsv.read_csv(
            tabbed,
            read_options=pcsv.ReadOptions(column_names=DAT),
            parse_options=pcsv.ParseOptions(delimiter="\t", quote_char=False),
            convert_options=pcsv.ConvertOptions(column_types=text, strings_can_be_null=False),
        )


def _column(table: pa.Table, path: Path, what: str, wanted: str | None, usual: tuple[str, ...]) -> str:
    found = _optional(table, path, wanted, usual)
    if found is None:
        raise BadInput(f"{path.name} has columns {table.column_names}, expected one for the {what}: one of {list(usual)}, or say --{what}-column")
    return found


def _optional(table: pa.Table, path: Path, wanted: str | None, usual: tuple[str, ...]) -> str | None:
    """A column by name; RecBole's typed headers (`user_id:token`) count as their name."""
    plain = {name.split(":")[0]: name for name in table.column_names}
    if wanted is not None:
        if wanted not in plain and wanted not in table.column_names:
            raise BadInput(f"{path.name} has columns {table.column_names}, expected also {wanted!r}")
        return plain.get(wanted, wanted)
    return next((plain[name] for name in usual if name in plain), None)


def _above(table: pa.Table, path: Path, rating: str | None, threshold: float | None, *, implicit: bool) -> pa.Table:
    if rating is None:
        if threshold is not None:
            raise BadInput(f"--threshold {threshold:g} found for {path.name}, which has no ratings, expected a column for it (--rating-column)")
        return table
    if implicit and threshold is None:
        return table
    if threshold is None or implicit:
        raise BadInput(
            f"{path.name} has ratings in column {rating!r}, expected either --threshold (keep rows rated at least that) or "
            "--implicit (keep every row)"
        )
    values = _floats(table[rating], path, rating)
    kept = table.filter(pa.array(values >= threshold))
    if not kept.num_rows:
        raise BadInput(f"{path.name} has no rating of at least {threshold:g}, expected some (they reach {values.max():g})")
    return kept


def _floats(column: pa.ChunkedArray, path: Path, name: str) -> np.ndarray:
    try:
        values = np.asarray(column.cast(pa.float64()).to_numpy())
    except pa.ArrowInvalid as error:
        raise BadInput(f"{path.name} has something else than numbers in column {name!r}: {' '.join(str(error).split())[:200]}") from error
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise BadInput(f"{path.name} has no finite number in column {name!r} at row {wrong[0] + 1} ({len(wrong)} such rows), expected one in each")
    return values


def _ids(table: pa.Table, path: Path, name: str) -> pa.ChunkedArray:
    """Ids as strings, exactly as written; BadInput for missing ones and for blanks around them."""
    column = table[name]
    if pa.types.is_floating(column.type):
        raise BadInput(f"{path.name} has decimal numbers as ids in column {name!r}, expected whole numbers or strings")
    if column.null_count:
        row = int(np.flatnonzero(column.is_null().to_numpy())[0]) + 1
        raise BadInput(f"{path.name} has {column.null_count} empty ids in column {name!r}, the first at row {row}, expected one in each row")
    text = column if pa.types.is_dictionary(column.type) else column.cast(pa.string()).dictionary_encode()
    text = text.unify_dictionaries()
    ids = text.chunk(0).dictionary if text.num_chunks else pa.array([], pa.string())
    odd = pc.or_(pc.equal(pc.utf8_trim_whitespace(ids), ""), pc.not_equal(pc.utf8_trim_whitespace(ids), ids))
    if pc.any(odd).as_py():
        raise BadInput(f"{path.name} has the id {ids.filter(odd)[0].as_py()!r} in column {name!r}, expected ids without blanks around them")
    return text


def _seconds(table: pa.Table, path: Path, name: str) -> np.ndarray:
    """(n,) int64 seconds since 1970, of numbers (decimals are cut) or of dates as ISO 8601 or Arrow writes them."""
    column = table[name]
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("s"), safe=False)
        if column.null_count:
            raise BadInput(f"{path.name} has {column.null_count} empty times in column {name!r}, expected one in each row or no such column")
        return np.asarray(column.cast(pa.int64()).to_numpy())
    if pa.types.is_string(column.type):
        raise BadInput(f"{path.name} has times like {column[0].as_py()!r} in column {name!r}, expected seconds or ISO 8601 dates")
    return _floats(column, path, name).astype(np.int64)


def _labels(table: pa.Table, path: Path, name: str) -> np.ndarray:
    values = _floats(table[name], path, name)
    if not np.isin(values, (0, 1, 2)).all():
        odd = sorted(set(values[~np.isin(values, (0, 1, 2))].tolist()))[:5]
        raise BadInput(f"{path.name} has labels {odd} in column {name!r}, expected 0 (train), 1 (valid) and 2 (test)")
    return values.astype(np.int8)


def _first_of_each_pair(log: Interactions) -> np.ndarray:
    """(n,) bool: of each pair of user and item the earliest row. One sort of 64-bit keys, no table of all pairs."""
    pairs = log.users.astype(np.int64) * len(log.item_ids) + log.items
    order = np.argsort(pairs, kind="stable") if log.timestamps is None else np.lexsort((log.timestamps, pairs))
    arranged = pairs[order]
    first = np.ones(len(pairs), dtype=bool)
    first[1:] = arranged[1:] != arranged[:-1]
    keep = np.zeros(len(pairs), dtype=bool)
    keep[order[first]] = True
    return keep


def read_prepared(path: Path, user_ids: np.ndarray, item_ids: np.ndarray) -> Interactions:
    """The log that `prepare` wrote: row and column numbers already, labelled. The ids are those of its mappings."""
    options = pcsv.ConvertOptions(
        column_types={"userID": pa.int32(), "itemID": pa.int32(), "x_label": pa.int8()},
        include_columns=["userID", "itemID", "x_label"],
    )
    try:
        table = pcsv.read_csv(path, parse_options=pcsv.ParseOptions(delimiter="\t"), convert_options=options)
    except (pa.ArrowInvalid, KeyError) as error:
        raise BadInput(f"{path.name} is not a prepared log: {' '.join(str(error).split())[:300]}") from error
    return Interactions(
        users=table["userID"].to_numpy(),
        items=table["itemID"].to_numpy(),
        user_ids=user_ids,
        item_ids=item_ids,
        labels=table["x_label"].to_numpy(),
    )
