"""Reads interaction files as Arrow tables: detects the format and reads only the requested columns.

MovieLens separates by `::` (ratings.dat, no header), MMRec and RecBole by tabs (.inter); CSV by commas, or by
semicolons where a comma is the decimal sign.
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
GUESSED = ("\t", ",", ";", "|")  # separators of a header, in the order in which they are looked for
NAMED = {"tab": "\t", "\\t": "\t"}  # how people type what a shell makes hard to type
DAT = ["user_id", "item_id", "rating", "timestamp"]
LARGEST = 64 << 30  # bytes of an unpacked log
LARGEST_HEADER = 1 << 16
CHUNK = 16 << 20
SAMPLE_ROWS = 500_000
UNREADABLE = (pa.ArrowInvalid, gzip.BadGzipFile, zlib.error, EOFError, UnicodeDecodeError, csv.Error)


@dataclass(frozen=True)
class Source:
    """A file of known format: `columns` are its column names, `why` says how the format was detected.

    `name` is what messages call it, `separator` what stands between the columns of a text; empty for Parquet.
    """

    path: Path
    name: str
    format: str
    why: str
    columns: list[str]
    separator: str = ""

    def describe(self) -> str:
        """Begin a sentence about missing columns: the file, how it was read, and what columns it has."""
        read = f", read as {self.format} (columns between {self.separator!r})," if self.separator else ""
        return f"{self.name}{read} has columns {self.columns[:20]}"


def open_source(path: Path, wanted: str, delimiter: str | None = None, *, name: str | None = None) -> Source:
    """Detect a file's format. `wanted` is one of FORMATS, or `auto` to decide by its first bytes and its name.

    `delimiter` is one character, or `tab`: then the file is a text with a header, whatever its name. `name` is what
    the file is called in place of its own name, such as the address that it was fetched from.
    """
    name = name or path.name
    if wanted not in {"auto", *FORMATS}:
        raise BadInput(f"format {wanted!r} found, expected one of auto, {', '.join(FORMATS)}")
    delimiter = _check_delimiter(delimiter, wanted)
    with path.open("rb") as file:
        start = file.read(4)
    if not start:
        raise BadInput(f"{name} is empty, expected interactions")
    named = Path(name.lower().removesuffix(".gz")).suffix.lstrip(".")
    if (start == b"PAR1" and wanted == "auto" and delimiter is None) or wanted == "parquet":
        why = "by --format" if wanted != "auto" else "by its first bytes"
        return Source(path, name, "parquet", why, _parquet_columns(path, name))
    try:
        with _unpack(path, name) as plain:
            line = plain.readline(LARGEST_HEADER).decode("utf-8-sig").rstrip("\r\n")
    except UNREADABLE as error:
        raise BadInput(f"{name} is not readable as text: {one_line(error)}") from error
    kind, separator, why = _decide(name, wanted, named, line, delimiter)
    if kind == "dat":
        return Source(path, name, kind, why, DAT, separator)
    return Source(path, name, kind, why, _header(name, line, separator), separator)


def read_columns(source: Source, columns: list[str], ids: list[str]) -> pa.Table:
    """Return the named columns; those in `ids` are read as text, unchanged, with dictionary encoding."""
    with _readable(source):
        if source.format == "parquet":
            return pq.read_table(source.path, columns=columns, read_dictionary=ids)
        with _unpack(source.path, source.name, visible=True, colons=source.format == "dat") as plain:
            return _parse(source, plain, columns, ids)


def read_sample(source: Source, columns: list[str]) -> pa.Table:
    """Return the named columns of the first rows: those of some megabytes of text, or some hundred thousand."""
    with _readable(source):
        if source.format == "parquet":
            with pq.ParquetFile(source.path) as file:
                batches = file.iter_batches(SAMPLE_ROWS, columns=columns)
                first = next(batches, None)
                schema = pa.schema([field for field in file.schema_arrow if field.name in columns])
            return schema.empty_table() if first is None else pa.Table.from_batches([first])
        with _unpack(source.path, source.name, colons=source.format == "dat") as plain:
            start = plain.read(CHUNK)
        return _parse(source, io.BytesIO(start if len(start) < CHUNK else start[: start.rfind(b"\n") + 1]), columns, [])


@contextmanager
def _readable(source: Source) -> Iterator[None]:
    try:
        yield
    except UNREADABLE as error:
        raise BadInput(f"{source.name} is not readable as {source.format}: {one_line(error)}") from error


def _parse(source: Source, plain: IO[bytes], columns: list[str], ids: list[str]) -> pa.Table:
    return pcsv.read_csv(
        plain,
        read_options=pcsv.ReadOptions(column_names=source.columns, skip_rows=int(source.format != "dat")),
        parse_options=pcsv.ParseOptions(
            delimiter="\t" if source.format == "dat" else source.separator,
            quote_char=False if source.format == "dat" else '"',
        ),
        convert_options=pcsv.ConvertOptions(
            include_columns=columns,
            column_types=dict.fromkeys(ids, pa.dictionary(pa.int32(), pa.string())),
            null_values=[""],  # NA can be the id of an item
            strings_can_be_null=False,
        ),
    )


def _check_delimiter(delimiter: str | None, wanted: str) -> str | None:
    """Return the character that `--delimiter` means."""
    if delimiter is None:
        return None
    if wanted in {"dat", "parquet"}:
        raise BadInput(f"--delimiter {delimiter!r} and --format {wanted} found, expected one of them")
    character = NAMED.get(delimiter, delimiter)
    if not (len(character) == 1 and character.isascii()) or character in '"\r\n':
        raise BadInput(
            f"--delimiter {delimiter!r} found, expected one character such as ';' or '|', or tab (--format dat is for "
            "'::')"
        )
    return character


def _decide(name: str, wanted: str, named: str, line: str, delimiter: str | None) -> tuple[str, str, str]:
    """Return format, separator and reason: by options, by the file's name and first line, else by the first line."""
    if delimiter is not None:
        if delimiter not in line:
            raise BadInput(f"{name} begins with {quote(line)}, expected columns between {delimiter!r}")
        return wanted if wanted != "auto" else "csv", delimiter, "by --delimiter"
    if wanted != "auto":
        return wanted, SEPARATORS[wanted], "by --format"
    if named in SEPARATORS and (SEPARATORS[named] in line):
        return named, SEPARATORS[named], "by its name and first line"
    if "::" in line:
        return "dat", "::", "by its first line"
    for separator in GUESSED:
        if separator in line:
            return "tsv" if separator == "\t" else "csv", separator, "by its first line"
    raise BadInput(
        f"{name} begins with {quote(line)}, expected columns between tabs, commas, semicolons, '|' or '::', or "
        f"Parquet (--delimiter names another character, --format one of {', '.join(FORMATS)})"
    )


def _header(name: str, line: str, separator: str) -> list[str]:
    names = [column.strip() for column in next(csv.reader([line], delimiter=separator), [])]
    twice = sorted({column for column in names if names.count(column) > 1})
    if twice:
        raise BadInput(f"{name} has the columns {twice} more than once, expected a header that names each column once")
    return names


def _parquet_columns(path: Path, name: str) -> list[str]:
    try:
        return list(pq.read_schema(path).names)
    except (pa.ArrowInvalid, OSError) as error:
        raise BadInput(f"{name} is not readable as parquet: {one_line(error)}") from error


@contextmanager
def _unpack(path: Path, name: str, *, visible: bool = False, colons: bool = False) -> Iterator[IO[bytes]]:
    """Return a stream of the unpacked bytes of a file that may be gzipped; `colons` replaces `::` by tabs."""
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        chunks = _chunks(name, gzip.GzipFile(fileobj=raw) if packed else raw)
        if visible and path.stat().st_size > 4 * CHUNK:
            total = None if packed else math.ceil(path.stat().st_size / CHUNK)
            chunks = iter(progress(chunks, label=f"reading {name}", total=total, unit="block"))
        yield io.BufferedReader(_Stream(_replace_colons(name, chunks) if colons else chunks), CHUNK)


def _chunks(name: str, file: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    size = 0
    while chunk := file.read(CHUNK):
        size += len(chunk)
        if size > LARGEST:
            raise BadInput(f"{name} unpacks to more than {LARGEST} bytes, expected at most that")
        yield chunk


def _replace_colons(name: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield whole lines with `::` replaced by tabs, so that Arrow can split them."""
    rest = b""
    for chunk in chunks:
        lines, newline, rest = (rest + chunk).rpartition(b"\n")
        if len(rest) > LARGEST_HEADER:
            raise BadInput(f"{name} has a line of more than {LARGEST_HEADER} bytes, expected ids, rating and time")
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
