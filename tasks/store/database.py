"""A connection to the metrics database, one short transaction at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import psycopg2
from psycopg2.extensions import connection, cursor, parse_dsn

from tasks.errors import BadInput, NotFound, TaskError, one_line

CONNECT_SECONDS = 10
SCHEMES = ("postgresql://", "postgres://")


def place_of(dsn: str) -> dict[str, Any] | None:
    """Return the parts of the address of a database, or None if it is none; with the password, if it has one."""
    try:
        return parse_dsn(dsn) if dsn.startswith(SCHEMES) else None
    except psycopg2.ProgrammingError:  # its message quotes the DSN
        return None


def lock_key(name: str) -> int:
    """Return a name as a signed 64-bit number, the type of PostgreSQL's advisory locks."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


class Database:
    """An open connection; a context manager. Its errors name the server but never the password."""

    def __init__(self, dsn: str) -> None:
        place = place_of(dsn)
        if not place:
            raise BadInput(
                "the address of the metrics database cannot be read, "
                "expected postgresql://user:password@host:port/database"
            )
        self._dsn = dsn
        self._place = f"database {place.get('dbname')} at {place.get('host')}:{place.get('port', 5432)}"
        try:
            self._connection: connection = psycopg2.connect(dsn, connect_timeout=CONNECT_SECONDS)
        except psycopg2.OperationalError as error:
            raise TaskError(
                f"no connection to {self._place}, expected one that exists and answers: {one_line(error)}"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[cursor]:
        """Commit at the end of the block; roll back if it raises."""
        try:
            with self._connection, self._connection.cursor() as sql:
                yield sql
        except psycopg2.errors.ForeignKeyViolation as error:
            raise NotFound(
                f"the metrics database lacks a row that this one needs, expected the steps before it to have run: "
                f"{one_line(error)}"
            ) from error
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            raise TaskError(f"{self._place} broke off, expected it to go on answering: {one_line(error)}") from error

    def _row(self, statement: str, *values: object) -> tuple[Any, ...] | None:
        with self._transaction() as sql:
            sql.execute(statement, values)
            return sql.fetchone()

    def _rows(self, statement: str, *values: object, **named: object) -> list[tuple[Any, ...]]:
        with self._transaction() as sql:
            sql.execute(statement, named or values)
            return sql.fetchall()
