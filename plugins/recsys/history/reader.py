"""One read-only transaction with the metrics database, whose rows are dicts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, HTTPException

from recsys.database import connect

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

Row = dict[str, Any]


class Reader:
    """Answers statements whose parameters are named."""

    def __init__(self, sql: cursor) -> None:
        self._sql = sql

    def rows(self, statement: str, **values: object) -> list[Row]:
        """Return all rows."""
        self._sql.execute(statement, values)
        columns = [column.name for column in self._sql.description or ()]
        return [dict(zip(columns, row, strict=True)) for row in self._sql.fetchall()]

    def row(self, statement: str, **values: object) -> Row | None:
        """Return the first row, or None."""
        return next(iter(self.rows(statement, **values)), None)


@contextmanager
def reading() -> Iterator[Reader]:
    """Open a connection for one request."""
    with closing(connect()) as database, database.cursor() as sql:
        yield Reader(sql)


def reader() -> Iterator[Reader]:
    """For FastAPI: a reader that lasts for a request. A database that does not answer is 503, with what to do."""
    import psycopg2  # noqa: PLC0415

    try:
        with reading() as opened:
            yield opened
    except (psycopg2.errors.UndefinedColumn, psycopg2.errors.UndefinedTable):
        raise HTTPException(
            503, "the metrics database has an earlier schema, expected an up-to-date one: run `python -m tasks migrate`"
        ) from None
    except psycopg2.errors.QueryCanceled:
        raise HTTPException(503, "the metrics database took more than 5 s, expected less: ask for fewer runs") from None
    except psycopg2.OperationalError:
        raise HTTPException(503, "the metrics database does not answer, expected it to run: try again") from None


Opened = Annotated[Reader, Depends(reader)]
