"""The answer of a SQL query as a Parquet file, streamed by COPY: no row of it is a Python object."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

import psycopg2
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
from psycopg2 import sql
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ, connection

from tasks.errors import BadInput, TaskError, one_line
from tasks.store.base import format_size
from tasks.store.database import CONNECT_SECONDS, place_of

LARGEST = 64 << 30  # bytes of an answer as text, as of an unpacked file
BLOCK = 4 << 20  # bytes of text that are parsed at a time, and some dozens are read ahead; a row may have as many
NULL = "\\N"
WHOLE, DECIMAL = pa.int64(), pa.float64()
# PostgreSQL's numbers of types (pg_type.oid) -> what they become; every other type becomes its text.
TYPES: dict[int, pa.DataType] = {
    16: pa.bool_(),  # boolean
    **dict.fromkeys([20, 21, 23, 26], WHOLE),  # bigint, smallint, integer, oid
    **dict.fromkeys([700, 701, 1700], DECIMAL),  # real, double precision, numeric
    1082: pa.date32(),  # date
    1114: pa.timestamp("us"),  # timestamp
    1184: pa.timestamp("us", "UTC"),  # timestamptz
}
REFUSED = (psycopg2.ProgrammingError, psycopg2.DataError, psycopg2.NotSupportedError, psycopg2.InternalError)


def save_answer(dsn: str, query: str, path: Path) -> str:
    """Write the rows of `query`, one SELECT, to `path` as Parquet; returns the place that was asked, without secrets.

    The query runs in a transaction that can only read. Raises BadInput for an address or a query that cannot be used,
    TaskError for a server that does not answer.
    """
    place = place_of(dsn)
    if place is None:
        raise BadInput("the address of the database cannot be read, expected postgresql://user@host:port/database")
    name = f"postgresql://{place.get('host') or 'localhost'}:{place.get('port') or 5432}/{place.get('dbname') or ''}"
    asked = query.strip().removesuffix(";")
    if not asked:
        raise BadInput(f"an empty --query for {name} found, expected one SELECT")
    text = path.with_suffix(".csv")
    with _explain(name), closing(psycopg2.connect(dsn, connect_timeout=CONNECT_SECONDS)) as database:
        database.set_session(readonly=True, isolation_level=ISOLATION_LEVEL_REPEATABLE_READ)
        database.set_client_encoding("UTF8")
        types = _copy(database, asked, text, name)
    _convert(text, types, path, name)
    text.unlink()
    return name


def _copy(database: connection, query: str, path: Path, name: str) -> dict[str, pa.DataType]:
    """Write the answer as CSV; returns the types of its columns. Inside of a SELECT, anything else is no syntax."""
    inner = sql.SQL("(" + query + "\n) AS answer")
    with database.cursor() as cursor, path.open("wb") as file:
        cursor.execute("SET LOCAL timezone = 'UTC'")  # others had offsets with seconds; psycopg2 asks for ISO dates
        cursor.execute(sql.SQL("SELECT * FROM ") + inner + sql.SQL(" LIMIT 0"))
        columns = [(column.name, column.type_code) for column in cursor.description or []]
        names = [column for column, _ in columns]
        twice = sorted({column for column in names if names.count(column) > 1})
        if twice or not names:
            raise BadInput(f"the query for {name} has the columns {names}, expected each name once (`AS` gives names)")
        wanted = sql.SQL(", ").join(_cast(sql.Identifier(column), kind) for column, kind in columns)
        copy = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT csv, HEADER, NULL {})")
        cursor.copy_expert(copy.format(wanted, inner, sql.Literal(NULL)), _Limited(file, name))
    return {column: TYPES.get(kind, pa.string()) for column, kind in columns}


def _cast(column: sql.Identifier, kind: int) -> sql.Composable:
    """Return the expression for a column; an infinite time is none."""
    if kind not in TYPES:
        return sql.SQL("{0}::text AS {0}").format(column)
    if pa.types.is_temporal(TYPES[kind]):
        return sql.SQL("CASE WHEN isfinite({0}) THEN {0} END AS {0}").format(column)
    return column


class _Limited:
    """A file that refuses to become larger than LARGEST."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file, self._name, self._size = file, name, 0

    def write(self, data: bytes) -> int:
        """Write some rows."""
        self._size += len(data)
        if self._size > LARGEST:
            raise BadInput(f"the answer of {self._name} has more than {format_size(LARGEST)}, expected at most that")
        return self._file.write(data)


def _convert(text: Path, types: dict[str, pa.DataType], path: Path, name: str) -> None:
    """Write a CSV as Parquet, block by block."""
    options = pcsv.ConvertOptions(
        column_types=types,
        null_values=[NULL],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        true_values=["t"],
        false_values=["f"],
    )
    try:
        with pcsv.open_csv(
            text,
            read_options=pcsv.ReadOptions(block_size=BLOCK),
            parse_options=pcsv.ParseOptions(newlines_in_values=True),
            convert_options=options,
        ) as rows:
            schema = pa.schema(list(types.items()))
            with pq.ParquetWriter(path, schema) as writer:
                for batch in rows:
                    writer.write_batch(batch)
    except pa.ArrowInvalid as error:  # a time before Christ
        raise BadInput(f"the answer of {name} cannot be read: {one_line(error)}") from error


@contextmanager
def _explain(name: str) -> Iterator[None]:
    """Turn errors of the driver into sentences; they never hold the password."""
    try:
        yield
    except psycopg2.OperationalError as error:
        raise TaskError(f"no answer of {name}, expected a server that goes on answering: {_said(error)}") from error
    except REFUSED as error:
        raise BadInput(
            f"{name} refused the query: {_said(error)}; expected one SELECT that only reads, of columns that exist"
        ) from error
    except psycopg2.Error as error:
        raise TaskError(f"{name} failed: {_said(error)}") from error


def _said(error: psycopg2.Error) -> str:
    return one_line(error.diag.message_primary or error)
