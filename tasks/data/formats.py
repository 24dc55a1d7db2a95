"""Reads interaction files as Arrow tables: detects the format and reads only the requested columns.

MovieLens separates by `::` (ratings.dat, no header), MMRec and RecBole by tabs (.inter); CSV by commas.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from tasks.data.ids import quote
from tasks.errors import BadInput, one_line
from tasks.progress import progress

FORMATS = ("inter", "dat", "csv", "tsv", "parquet")
SEPARATORS = {"inter": "\t", "dat": "::", "csv": ",", "tsv": "\t"}
DAT = ["user_id", "item_id", "rating", "timestamp"]
LARGEST = 64 << 30  # bytes of an unpacked log
LARGEST_HEADER = 1 << 16
CHUNK = 16 << 20
UNREADABLE = (pa.ArrowInvalid, gzip.BadGzipFile, zlib.error, EOFError, UnicodeDecodeError, csv.Error)


@dataclass(frozen=True)
class Source:
    """A file of known format: `columns` are its column names, `why` says how the format was detected."""

    path: Path
    format: str
    why: str
    columns: list[str]


def open_source(path: Path, wanted: str) -> Source:
    """Detect a file's format. `wanted` is one of FORMATS, or `auto` to decide by its first bytes and its name."""
    if wanted not in {"auto", *FORMATS}:
        raise BadInput(f"format {wanted!r} found, expected one of auto, {', '.join(FORMATS)}")
    with path.open("rb") as file:
        start = file.read(4)
    if not start:
        raise BadInput(f"{path.name} is empty, expected interactions")
    named = Path(path.name.lower().removesuffix(".gz")).suffix.lstrip(".")
    if (start == b"PAR1" and wanted == "auto") or wanted == "parquet":
        why = "by --format" if wanted != "auto" else "by its first bytes"
        return Source(path, "parquet", why, _parquet_columns(path))
    try:
        with _unpack(path) as plain:
            line = plain.readline(LARGEST_HEADER).decode("utf-8-sig").rstrip("\r\n")
    except UNREADABLE as error:
        raise BadInput(f"{path.name} is not readable as text: {one_line(error)}") from error
    kind, why = (wanted, "by --format") if wanted != "auto" else _decide(path, named, line)
    if kind == "dat":
        return Source(path, kind, why, DAT)
    return Source(path, kind, why, _header(path, line, SEPARATORS[kind]))


def read_columns(source: Source, columns: list[str], ids: list[str]) -> pa.Table:
    """Return the named columns; those in `ids` are read as text, unchanged, with dictionary encoding."""
    try:
        if source.format == "parquet":
            return pq.read_table(source.path, columns=columns, read_dictionary=ids)
        with _unpack(source.path, visible=True, colons=source.format == "dat") as plain:
            return pcsv.read_csv(
                plain,
                read_options=pcsv.ReadOptions(column_names=source.columns, skip_rows=int(source.format != "dat")),
                parse_options=pcsv.ParseOptions(
                    delimiter="," if source.format == "csv" else "\t",
                    quote_char=False if source.format == "dat" else '"',
                ),
                convert_options=pcsv.ConvertOptions(
                    include_columns=columns,
                    column_types=dict.fromkeys(ids, pa.dictionary(pa.int32(), pa.string())),
                    null_values=[""],  # NA can be the id of an item
                    strings_can_be_null=False,
                ),
            )
    except UNREADABLE as error:
        raise BadInput(f"{source.path.name} is not readable as {source.format}: {one_line(error)}") from error


def _decide(path: Path, named: str, line: str) -> tuple[str, str]:
    """Return format and reason: by the file's name if the first line has that separator, else by the first line."""
    if named in SEPARATORS and (SEPARATORS[named] in line):
        return named, "by its name and first line"
    for kind in ("dat", "tsv", "csv"):
        if SEPARATORS[kind] in line:
            return kind, "by its first line"
    raise BadInput(
        f"{path.name} begins with {quote(line)}, expected columns between tabs, commas or '::', or Parquet "
        f"(--format names one of {', '.join(FORMATS)})"
    )


def _header(path: Path, line: str, separator: str) -> list[str]:
    names = [name.strip() for name in next(csv.reader([line], delimiter=separator), [])]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInput(
            f"{path.name} has the columns {twice} more than once, expected a header that names each column once"
        )
    return names


def _parquet_columns(path: Path) -> list[str]:
    try:
        return list(pq.read_schema(path).names)
    except (pa.ArrowInvalid, OSError) as error:
        raise BadInput(f"{path.name} is not readable as parquet: {one_line(error)}") from error


@contextmanager
def _unpack(path: Path, *, visible: bool = False, colons: bool = False) -> Iterator[IO[bytes]]:
    """Return a stream of the unpacked bytes of a file that may be gzipped; `colons` replaces `::` by tabs."""
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        chunks = _chunks(path, gzip.GzipFile(fileobj=raw) if packed else raw)
        if visible and path.stat().st_size > 4 * CHUNK:
            total = None if packed else math.ceil(path.stat().st_size / CHUNK)
            chunks = iter(progress(chunks, label=f"reading {path.name}", total=total, unit="block"))
        yield io.BufferedReader(_Stream(_replace_colons(path, chunks) if colons else chunks), CHUNK)


def _chunks(path: Path, file: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    size = 0
    while chunk := file.read(CHUNK):
        size += len(chunk)
        if size > LARGEST:
            raise BadInput(f"{path.name} unpacks to more than {LARGEST} bytes, expected at most that")
        yield chunk


def _replace_colons(path: Path, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield whole lines with `::` replaced by tabs, so that Arrow can split them."""
    rest = b""
    for chunk in chunks:
        lines, newline, rest = (rest + chunk).rpartition(b"\n")
        if len(rest) > LARGEST_HEADER:
            raise BadInput(f"{path.name} has a line of more than {LARGEST_HEADER} bytes, expected ids, rating and time")
        yield lines.replace(b"::", b"\t") + newline
    yield rest.replace(b"::", b"\t")


class _Stream(io.RawIOBase):
    """A readable file from chunks of bytes."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # the stub has a private type
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
