"""The champion of a dataset: one row, moved by compare-and-swap in the transaction that records the decision."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg2.extensions import cursor

from tasks.errors import NotFound, TaskError
from tasks.store.database import Database

MOST_NAMED = 20


@dataclass(frozen=True)
class Champion:
    """The release of a dataset that is served. `gate` is the gate report with which it was promoted."""

    dataset: str
    release: str
    model: str
    run: str
    since: datetime
    version: int
    gate: dict[str, Any]


@dataclass(frozen=True)
class Decision:
    """The outcome of a run: "promoted" with a release, or "rejected"."""

    run: str
    outcome: str
    release: str | None
    inputs_hash: str


@dataclass(frozen=True)
class Published:
    """A release that was promoted once; `run` is the run that published it first."""

    release: str
    run: str
    model: str
    created_at: datetime


@dataclass(frozen=True)
class Promotion:
    """A release with the gate report of its first promotion, and when that was."""

    release: str
    created_at: datetime
    gate: dict[str, Any]


class Champions(Database):
    """Releases, decisions, and the pointer to the champion."""

    def champion(self, dataset: str) -> Champion | None:
        """Return the champion, or None if nothing is served yet."""
        row = self._row(
            "SELECT dataset, release, model, run, since, version, gate FROM rec.champion WHERE dataset = %s", dataset
        )
        return Champion(*row) if row else None

    def last_decision(self, dataset: str) -> Decision | None:
        """Return the last decision, also a rejection, or None."""
        row = self._row(
            "SELECT run, outcome, release, inputs_hash FROM rec.decision WHERE dataset = %s "
            "ORDER BY decided_at DESC LIMIT 1",
            dataset,
        )
        return Decision(*row) if row else None

    def reject(self, dataset: str, run: str, model: str, gate: Mapping[str, object], inputs_hash: str) -> None:
        """Record that the best model of `run` was rejected, with the gate report."""
        with self._transaction() as sql:
            _decide(sql, (run, dataset, model, "rejected", None, inputs_hash, json.dumps(gate)))

    def promote(  # noqa: PLR0917  a row has as many values as columns
        self,
        dataset: str,
        run: str,
        model: str,
        release: str,
        gate: Mapping[str, object],
        inputs_hash: str,
        *,
        seen: Champion | None,
    ) -> bool:
        """Record the release and make it the champion, in one transaction; it may already be the champion.

        `seen` is the champion that the gate compared with. If the champion has changed since, nothing is recorded and
        the result is False.
        """
        evidence = json.dumps(gate)
        with self._transaction() as sql:
            sql.execute(
                "INSERT INTO rec.release (dataset, release, run, model, gate) VALUES (%s, %s, %s, %s, %s) "
                "ON CONFLICT DO NOTHING",
                (dataset, release, run, model, evidence),
            )
            moved = _move(sql, dataset, release, "promoted", seen)
            if moved:
                _decide(sql, (run, dataset, model, "promoted", release, inputs_hash, evidence))
            else:
                sql.connection.rollback()
            return moved

    def releases(self, dataset: str) -> list[Published]:
        """Return all releases of a dataset that were ever served, the newest first."""
        statement = (
            "SELECT release, run, model, created_at FROM rec.release WHERE dataset = %s ORDER BY created_at DESC"
        )
        return [Published(*row) for row in self._rows(statement, dataset)]

    def promotions(self, dataset: str, since: datetime) -> list[Promotion]:
        """Return the releases of a dataset that were first promoted from `since` on."""
        statement = "SELECT release, created_at, gate FROM rec.release WHERE dataset = %s AND created_at >= %s"
        return [Promotion(*row) for row in self._rows(statement, dataset, since)]

    def require_release(self, dataset: str, release: str) -> None:
        """Raise NotFound with the known names unless the release was served once."""
        known = [one.release for one in self.releases(dataset)]
        if release not in known:
            raise NotFound(
                f"release {release!r} of {dataset!r} does not exist, expected one of {', '.join(known[:MOST_NAMED])}"
            )

    def release_before(self, champion: Champion) -> str:
        """Return the release served before this one. Raises NotFound if there is none."""
        row = self._row(
            "SELECT previous FROM rec.pointer_move WHERE dataset = %s AND release = %s AND previous IS NOT NULL "
            "ORDER BY (reason = 'promoted') DESC, version DESC LIMIT 1",
            champion.dataset,
            champion.release,
        )
        if row is None:
            raise NotFound(
                f"dataset {champion.dataset!r} was served from no other release than {champion.release}, "
                "expected an earlier one to go back to"
            )
        return str(row[0])

    def rollback(self, dataset: str, release: str | None = None) -> Champion:
        """Make `release` the champion again, by default the previous one; returns the new champion."""
        now = self.champion(dataset)
        if now is None:
            raise NotFound(f"dataset {dataset!r} has no release, expected one to go back from")
        wanted = release or self.release_before(now)
        self.require_release(dataset, wanted)
        with self._transaction() as sql:
            if not _move(sql, dataset, wanted, "rolled back", now):
                raise TaskError(
                    f"the champion of {dataset!r} changed meanwhile, expected {now.release}: look again and repeat"
                )
        champion = self.champion(dataset)
        if champion is None:
            raise TaskError(f"the champion of {dataset!r} is gone, expected {wanted}")
        return champion


def _move(sql: cursor, dataset: str, release: str, reason: str, seen: Champion | None) -> bool:
    """Move the pointer to `release` if it is unchanged since `seen`; returns whether it was."""
    if seen is None:
        sql.execute(
            "INSERT INTO rec.pointer (dataset, release, version) VALUES (%s, %s, 1) ON CONFLICT DO NOTHING",
            (dataset, release),
        )
    elif seen.release == release:
        sql.execute("SELECT 1 FROM rec.pointer WHERE dataset = %s AND version = %s FOR SHARE", (dataset, seen.version))
        return bool(sql.rowcount)
    else:
        sql.execute(
            "UPDATE rec.pointer SET release = %s, version = version + 1, since = now() "
            "WHERE dataset = %s AND version = %s",
            (release, dataset, seen.version),
        )
    if not sql.rowcount:
        return False
    version, previous = (seen.version + 1, seen.release) if seen else (1, None)
    sql.execute(
        "INSERT INTO rec.pointer_move (dataset, version, release, previous, reason) VALUES (%s, %s, %s, %s, %s)",
        (dataset, version, release, previous, reason),
    )
    return True


def _decide(sql: cursor, row: tuple[object, ...]) -> None:
    """Upsert (run, dataset, model, outcome, release, inputs_hash, gate) and end the run accordingly."""
    sql.execute(
        "INSERT INTO rec.decision (run, dataset, model, outcome, release, inputs_hash, gate) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (run) DO UPDATE SET model = excluded.model, "
        "outcome = excluded.outcome, release = excluded.release, inputs_hash = excluded.inputs_hash, "
        "gate = excluded.gate, decided_at = now()",
        row,
    )
    run, outcome = row[0], row[3]
    status = "published" if outcome == "promoted" else "rejected"
    sql.execute("UPDATE rec.run SET status = %s, finished_at = now() WHERE run = %s", (status, run))
