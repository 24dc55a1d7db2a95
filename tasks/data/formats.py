"""Reads interaction files as Arrow tables: detects the format and reads only the requested columns.

MovieLens separates by `::` (ratings.dat, no header), MMRec and RecBole by tabs (.inter); CSV by commas, or by
semicolons where a comma is the decimal sign.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
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
from tasks.data.kinds import LOOKED_AT, PACKED, kind_of
from tasks.data.rows import Rows
from tasks.data.unpacked import CHUNK, GZIP, LONGEST_LINE, Stream, replace_colons, unpack
from tasks.errors import BadInput, one_line

Pieces = Iterator[bytes | memoryview]

FORMATS = ("inter", "dat", "csv", "tsv", "parquet")
SEPARATORS = {"inter": "\t", "dat": "::", "csv": ",", "tsv": "\t"}
GUESSED = ("\t", ",", ";", "|")  # separators of a header, in the order in which they are looked for
NAMED = {"tab": "\t", "\\t": "\t"}  # how people type what a shell makes hard to type
DAT = ["user_id", "item_id", "rating", "timestamp"]
REMEDIES = {
    "UTF-16 text": "save it as UTF-8",
    "UTF-32 text": "save it as UTF-8",
    "Excel (xlsx)": "save the sheet as CSV",
    "old Office (xls, doc)": "save the sheet as CSV",
    "SQLite": "export the table as CSV",
    "HTML page": "it may be an error page in place of the log, so fetch that again",
}
LINE_END = re.compile(rb"\r\n|\n|\r")
OTHERWISE = "write the log in one of these"
RAGGED = "CSV parse error: Expected"  # how Arrow begins its sentence about a row with other columns
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

    @property
    def quoted(self) -> bool:
        """Whether values may stand in quotes; between tabs and in .dat a quote is a character as any other."""
        return self.separator not in {"\t", "::"}

    def describe(self) -> str:
        """Begin a sentence about missing columns: the file, how it was read, and what columns it has."""
        read = f", read as {self.format} (columns between {self.separator!r})," if self.separator else ""
        return f"{self.name}{read} has columns {self.columns[:20]}"


def open_source(
    path: Path, wanted: str, delimiter: str | None = None, *, name: str | None = None, content: str = "interactions"
) -> Source:
    """Detect a file's format. `wanted` is one of FORMATS, or `auto` to decide by its first bytes and its name.

    `delimiter` is one character, or `tab`: then the file is a text with a header, whatever its name. `name` is what
    the file is called in place of its own name, such as the address that it was fetched from. `content` is what is
    expected in it.
    """
    name = name or path.name
    if wanted not in {"auto", *FORMATS}:
        raise BadInput(f"format {wanted!r} found, expected one of auto, {', '.join(FORMATS)}")
    delimiter = _check_delimiter(delimiter, wanted)
    with path.open("rb") as file:
        start = file.read(LOOKED_AT)
    if not start:
        raise BadInput(f"{name} is empty, expected {content}")
    named = Path(name.lower().removesuffix(".gz")).suffix.lstrip(".")
    if (start.startswith(b"PAR1") and wanted == "auto" and delimiter is None) or wanted == "parquet":
        why = "by --format" if wanted != "auto" else "by its first bytes"
        return Source(path, name, "parquet", why, _parquet_columns(path, name))
    if not start.startswith(GZIP):
        _require_text(name, start)
    try:
        with unpack(path, name) as chunks:
            start = b""
            while len(start) < LONGEST_LINE and (chunk := next(chunks, b"")):
                start += chunk
        _require_text(name, start)
        line = LINE_END.split(start[:LONGEST_LINE], maxsplit=1)[0].decode()
    except UNREADABLE as error:
        raise BadInput(f"{name} is not readable as text: {one_line(error)}") from error
    kind, separator, why = _decide(name, wanted, named, line, delimiter)
    if kind == "dat":
        return Source(path, name, kind, why, DAT, separator)
    return Source(path, name, kind, why, _header(name, line, separator), separator)


def read_columns(source: Source, columns: list[str], ids: list[str], *, texts: bool = False) -> pa.Table:
    """Return the named columns; those in `ids` are read as text, unchanged, with dictionary encoding.

    `texts`: all others of a text are read as text too, whole and unchanged.
    """
    with _readable(source):
        if source.format == "parquet":
            return pq.read_table(source.path, columns=columns, read_dictionary=ids)
        with _rows(source, ids, visible=True, whole=texts) as pieces:
            return _parse(source, io.BufferedReader(Stream(pieces), CHUNK), columns, ids, texts=texts)


def read_sample(source: Source, columns: list[str]) -> pa.Table:
    """Return the named columns of the first rows: those of some megabytes of text, or some hundred thousand."""
    with _readable(source):
        if source.format == "parquet":
            with pq.ParquetFile(source.path) as file:
                batches = file.iter_batches(SAMPLE_ROWS, columns=columns)
                first = next(batches, None)
                schema = pa.schema([field for field in file.schema_arrow if field.name in columns])
            return schema.empty_table() if first is None else pa.Table.from_batches([first])
        with _rows(source, []) as pieces:
            start = b"".join(_first(pieces, CHUNK))
        return _parse(source, io.BytesIO(start[: start.rfind(b"\n") + 1] or start), columns, [])


def _first(pieces: Pieces, size: int) -> Pieces:
    """Yield pieces until they are of that size together."""
    while size > 0 and (piece := next(pieces, None)) is not None:
        size -= len(piece)
        yield piece


@contextmanager
def _readable(source: Source) -> Iterator[None]:
    try:
        yield
    except UNREADABLE as error:
        if isinstance(error, pa.ArrowInvalid) and RAGGED in str(error):
            _require_even_rows(source)
        remedy = " (save it as UTF-8)" if "UTF8" in str(error) else ""
        raise BadInput(f"{source.name} is not readable as {source.format}: {one_line(error)}{remedy}") from error


@contextmanager
def _rows(
    source: Source, ids: list[str], *, strict: bool = False, visible: bool = False, whole: bool = False
) -> Iterator[Pieces]:
    """Yield the rows of a text in pieces of whole rows, the header too, as Arrow can split them."""
    colons = source.format == "dat"
    places = tuple(source.columns.index(name) for name in ids)
    with unpack(source.path, source.name, visible=visible) as chunks:
        separator = "\t" if colons else source.separator
        rows = Rows(source.name, separator, len(source.columns), source.quoted, places, strict, whole)
        yield rows.split(replace_colons(source.name, chunks) if colons else chunks)


def _parse(source: Source, plain: IO[bytes], columns: list[str], ids: list[str], *, texts: bool = False) -> pa.Table:
    return pcsv.read_csv(
        plain,
        read_options=pcsv.ReadOptions(column_names=source.columns, skip_rows=int(source.format != "dat")),
        parse_options=pcsv.ParseOptions(
            delimiter="\t" if source.format == "dat" else source.separator,
            quote_char='"' if source.quoted else False,
        ),
        convert_options=pcsv.ConvertOptions(
            include_columns=columns,
            column_types=dict.fromkeys(columns if texts else [], pa.string())
            | dict.fromkeys(ids, pa.dictionary(pa.int32(), pa.string())),
            null_values=[""],  # NA can be the id of an item
            strings_can_be_null=False,
        ),
    )


def _require_even_rows(source: Source) -> None:
    """Raise BadInput with the line of the first row that has other columns than the header."""
    with _rows(source, [], strict=True) as pieces:
        for _ in pieces:
            pass


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
    if separator != "\t" and line.count('"') % 2:
        raise BadInput(f"line 1 of {name} has a quote that is not closed, expected a header in one line")
    cells = line.split(separator) if separator == "\t" else next(csv.reader([line], delimiter=separator), [])
    names = [column.strip() for column in cells]
    twice = sorted({column for column in names if names.count(column) > 1})
    if twice:
        raise BadInput(f"{name} has the columns {twice} more than once, expected a header that names each column once")
    return names


def _require_text(name: str, start: bytes) -> None:
    """Raise BadInput for a file that is something else by its first bytes, with what to do."""
    kind = kind_of(start, maybe_text=True)
    if kind == "zip" and b"[Content_Types].xml" in start:
        kind = "Excel (xlsx)"
    if kind:
        remedy = REMEDIES.get(kind, "unpack it, or pack it with gzip" if kind in PACKED else OTHERWISE)
        raise BadInput(f"{name} is {kind}, expected text (CSV, TSV, .inter, ratings.dat) or Parquet: {remedy}")


def _parquet_columns(path: Path, name: str) -> list[str]:
    try:
        return list(pq.read_schema(path).names)
    except (pa.ArrowInvalid, OSError) as error:
        raise BadInput(f"{name} is not readable as parquet: {one_line(error)}") from error
