"""Marks of garbage: a row per prefix that is to be removed from the store, or was.

The mark is a token. Garbage collection removes a prefix only while it holds the lock of the dataset and the mark is
there; whoever begins to refer to a prefix takes its mark away under the same lock. So nothing is removed that was
referred to meanwhile, and nobody comes to refer to what was removed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg2.extensions import cursor
from psycopg2.extras import execute_values

from tasks.errors import TaskError
from tasks.store.database import Database, lock_key

# The release that was served before another one.
BEFORE = (
    "SELECT previous FROM rec.pointer_move WHERE dataset = %s AND release = %s AND previous IS NOT NULL "
    "ORDER BY (reason = 'promoted') DESC, version DESC LIMIT 1"
)
REFERENCES = {
    "now": "SELECT now()",
    "served": "SELECT release FROM rec.pointer WHERE dataset = %(dataset)s",
    "before": BEFORE.replace("dataset = %s", "dataset = %(dataset)s").replace(
        "= %s", "= (SELECT release FROM rec.pointer WHERE dataset = %(dataset)s)"
    ),
    "named": "SELECT release, previous FROM rec.pointer_move "
    "WHERE dataset = %(dataset)s AND moved_at >= now() - %(window)s "
    "UNION SELECT release, NULL FROM rec.release WHERE dataset = %(dataset)s AND created_at >= now() - %(window)s",
    "published": "SELECT release FROM rec.release WHERE dataset = %(dataset)s ORDER BY created_at DESC",
    "waiting": "SELECT run, release FROM rec.decision WHERE dataset = %(dataset)s AND outcome = 'waiting'",
    "makers": "SELECT release, run FROM rec.decision WHERE dataset = %(dataset)s AND release IS NOT NULL "
    "UNION SELECT release, run FROM rec.release WHERE dataset = %(dataset)s",
    "runs": "SELECT run, status, greatest(started_at, finished_at) FROM rec.run WHERE dataset = %(dataset)s",
}


@dataclass(frozen=True)
class Mark:
    """Since when a prefix is garbage, by the database's clock, and why; `age` is how long that is."""

    prefix: str
    reason: str
    marked_at: datetime
    age: timedelta


@dataclass(frozen=True)
class RunRow:
    """A recorded run; `touched` is when it started or ended, whichever is later."""

    status: str
    touched: datetime


@dataclass(frozen=True)
class References:
    """What the database says of a dataset at the time `now`, its own.

    `served` and `before`: the release that is served, and the one that a rollback goes back to. `named`: releases that
    were promoted, or that a move of the pointer named, within the window. `published`: all that were ever served, the
    newest first. `waiting`: run -> its release that waits for an answer. `makers`: release -> runs that published it.
    """

    now: datetime
    served: str | None
    before: str | None
    named: frozenset[str]
    published: tuple[str, ...]
    waiting: Mapping[str, str]
    makers: Mapping[str, frozenset[str]]
    runs: Mapping[str, RunRow]


class Garbage(Database):
    """The marks, and the locks of datasets."""

    @contextmanager
    def hold(self, dataset: str) -> Iterator[None]:
        """Hold the lock of a dataset during the block; it ends with this process, too."""
        key = _lock(dataset)
        self._row("SELECT pg_advisory_lock(%s)", key)
        try:
            yield
        finally:
            self._row("SELECT pg_advisory_unlock(%s)", key)

    def marks(self, dataset: str) -> dict[str, Mark]:
        """Return the marks of a dataset by prefix, without those of what was removed."""
        rows = self._rows(
            "SELECT prefix, reason, marked_at, now() - marked_at FROM rec.garbage "
            "WHERE dataset = %s AND swept_at IS NULL ORDER BY prefix",
            dataset,
        )
        return {row[0]: Mark(*row) for row in rows}

    def mark(self, dataset: str, reasons: Mapping[str, str]) -> None:
        """Mark prefixes; those that are marked keep their time."""
        with self._transaction() as sql:
            execute_values(
                sql,
                "INSERT INTO rec.garbage AS g (dataset, prefix, reason) VALUES %s ON CONFLICT (prefix) DO UPDATE "
                "SET reason = excluded.reason, marked_at = now(), swept_at = NULL WHERE g.swept_at IS NOT NULL",
                [(dataset, *one) for one in sorted(reasons.items())],
            )

    def unmark(self, prefixes: Collection[str]) -> None:
        """Take marks away."""
        with self._transaction() as sql:
            sql.execute("DELETE FROM rec.garbage WHERE prefix = ANY(%s) AND swept_at IS NULL", (list(prefixes),))

    def is_marked(self, prefix: str) -> bool:
        """Whether a prefix still has its mark."""
        return self._row("SELECT 1 FROM rec.garbage WHERE prefix = %s AND swept_at IS NULL", prefix) is not None

    def sweep(self, prefix: str) -> None:
        """Record that a prefix is removed, before it is: from here on nobody can refer to it without `rescue`."""
        with self._transaction() as sql:
            sql.execute("UPDATE rec.garbage SET swept_at = now() WHERE prefix = %s", (prefix,))

    def rescue(self, dataset: str, *prefixes: str) -> None:
        """Begin to refer to prefixes: waits until none of them is being removed, and takes their marks away.

        What was removed has no row from here on; whether it stands there must be looked at after this call.
        """
        with self._transaction() as sql:
            sql.execute("SELECT pg_advisory_xact_lock(%s)", (_lock(dataset),))
            sql.execute("DELETE FROM rec.garbage WHERE prefix = ANY(%s)", (list(prefixes),))

    def references(self, dataset: str, window: timedelta) -> References:
        """Return what the database says of a dataset, all of one moment."""
        with self._transaction() as sql:
            sql.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            found = {name: _select(sql, statement, dataset, window) for name, statement in REFERENCES.items()}
        ((now,),), served = found["now"], found["served"]
        return References(
            now=now,
            served=served[0][0] if served else None,
            before=found["before"][0][0] if found["before"] else None,
            named=frozenset(name for row in found["named"] for name in row if name),
            published=tuple(name for (name,) in found["published"]),
            waiting=dict(found["waiting"]),
            makers=_group(found["makers"]),
            runs={run: RunRow(status, touched) for run, status, touched in found["runs"]},
        )

    def datasets(self) -> list[str]:
        """Return the datasets that have a run or a mark."""
        rows = self._rows("SELECT dataset FROM rec.run UNION SELECT dataset FROM rec.garbage WHERE dataset <> ''")
        return sorted(name for (name,) in rows)


def refer(sql: cursor, dataset: str, prefix: str) -> None:
    """Refer to a prefix in this transaction. Raises TaskError if it was removed since `rescue`."""
    sql.execute("SELECT pg_advisory_xact_lock(%s)", (_lock(dataset),))
    sql.execute("DELETE FROM rec.garbage WHERE prefix = %s AND swept_at IS NULL", (prefix,))
    sql.execute("SELECT swept_at FROM rec.garbage WHERE prefix = %s", (prefix,))
    if row := sql.fetchone():
        raise TaskError(
            f"{prefix} was removed as garbage at {row[0]:%Y-%m-%d %H:%M} UTC, expected it to stand in the store: "
            "repeat the command"
        )


def _lock(dataset: str) -> int:
    return lock_key(f"rec.garbage/{dataset}")


def _select(sql: cursor, statement: str, dataset: str, window: timedelta) -> list[tuple[Any, ...]]:
    sql.execute(statement, {"dataset": dataset, "window": window})
    return sql.fetchall()


def _group(rows: list[tuple[Any, ...]]) -> dict[str, frozenset[str]]:
    grouped: dict[str, set[str]] = {}
    for release, run in rows:
        grouped.setdefault(release, set()).add(run)
    return {release: frozenset(runs) for release, runs in grouped.items()}
