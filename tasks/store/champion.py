"""The champion of a dataset: one row, moved by compare-and-swap in the transaction that records the decision."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg2.extensions import cursor

from tasks.errors import NotFound, TaskError
from tasks.store.database import Database
from tasks.store.garbage import BEFORE, refer
from tasks.store.layout import release_prefix

MOST_NAMED = 20
DECISION = (
    "SELECT run, dataset, model, outcome, release, inputs_hash, gate, answered_by, answered_at FROM rec.decision "
)


@dataclass(frozen=True)
class Champion:
    """The release of a dataset that is served.

    `gate` is the gate report with which it was promoted first. `inputs` is the highest number of the inputs of a run
    that came to it (`History.number_inputs`), None if these were not counted yet.
    """

    dataset: str
    release: str
    model: str
    run: str
    since: datetime
    version: int
    gate: dict[str, Any]
    inputs: int | None = None


@dataclass(frozen=True)
class Decision:
    """The outcome of a run: "promoted" with a release, "rejected", or "waiting": its release waits for an answer.

    `gate` is the gate report. `answered_at` is when a human answered, or was not waited for any longer, and
    `answered_by` who that was; both are None if nobody was asked.
    """

    run: str
    dataset: str
    model: str
    outcome: str
    release: str | None
    inputs_hash: str
    gate: dict[str, Any]
    answered_by: str | None
    answered_at: datetime | None


@dataclass(frozen=True)
class Answer:
    """What became of the question whether a release may be served; `by` is None if nobody answered."""

    approved: bool
    by: str | None
    at: datetime


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
            "SELECT dataset, release, model, run, since, version, gate, ("
            "SELECT max((d.gate -> 'candidate' ->> 'inputs')::bigint) FROM rec.decision d "
            "WHERE d.dataset = c.dataset AND d.release = c.release AND d.outcome = 'promoted') "
            "FROM rec.champion c WHERE dataset = %s",
            dataset,
        )
        return Champion(*row) if row else None

    def served(self) -> dict[str, str]:
        """Return dataset -> release that is served, of all datasets."""
        return dict(self._rows("SELECT dataset, release FROM rec.pointer ORDER BY dataset"))

    def decision(self, run: str) -> Decision | None:
        """Return the decision of a run, or None if it has none yet."""
        row = self._row(DECISION + "WHERE run = %s", run)
        return Decision(*row) if row else None

    def last_decision(self, dataset: str) -> Decision | None:
        """Return the last decision, also a rejection, or None; a release that waits is not decided."""
        row = self._row(
            DECISION + "WHERE dataset = %s AND outcome <> 'waiting' ORDER BY decided_at DESC LIMIT 1", dataset
        )
        return Decision(*row) if row else None

    def reject(self, dataset: str, run: str, model: str, gate: Mapping[str, object], inputs_hash: str) -> None:
        """Record that the best model of `run` was rejected, with the gate report."""
        with self._transaction() as sql:
            _decide(sql, (run, dataset, model, "rejected", None, inputs_hash, json.dumps(gate)))

    def wait(  # noqa: PLR0917  a row has as many values as columns
        self, dataset: str, run: str, model: str, release: str, gate: Mapping[str, object], inputs_hash: str
    ) -> None:
        """Record that the release of `run` waits for a human's answer; what is served stays."""
        with self._transaction() as sql:
            refer(sql, dataset, release_prefix(dataset, release))
            _decide(sql, (run, dataset, model, "waiting", release, inputs_hash, json.dumps(gate)))

    def answer(self, waiting: Decision, answer: Answer, gate: Mapping[str, object], seen: Champion | None) -> bool:
        """Record the answer, and make an approved release the champion, in one transaction.

        `gate` is the gate report that names the answer. The result is False, and nothing is recorded, if `waiting` was
        decided meanwhile, or if the champion is no longer `seen`.
        """
        run, release, evidence = waiting.run, waiting.release, json.dumps(gate)
        with self._transaction() as sql:
            sql.execute(DECISION + "WHERE run = %s AND outcome = 'waiting' AND release = %s FOR UPDATE", (run, release))
            done = bool(sql.rowcount)
            if done and answer.approved and release is not None:
                done = _publish(sql, (waiting.dataset, release, run, waiting.model, evidence), seen)
            if not done:
                sql.connection.rollback()
                return False
            outcome = "promoted" if answer.approved else "rejected"
            kept = release if answer.approved else None
            row = (run, waiting.dataset, waiting.model, outcome, kept, waiting.inputs_hash, evidence)
            _decide(sql, row, (answer.by, answer.at))
            return True

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
            moved = _publish(sql, (dataset, release, run, model, evidence), seen)
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

    def promotions(self, dataset: str, window: timedelta) -> list[Promotion]:
        """Return the releases of a dataset that were served within `window`, by the database's clock."""
        statement = (
            "SELECT release, created_at, gate FROM rec.release r WHERE dataset = %(dataset)s "
            "AND (created_at >= now() - %(window)s OR release IN (SELECT previous FROM rec.pointer_move m "
            "WHERE m.dataset = r.dataset AND m.moved_at >= now() - %(window)s))"
        )
        with self._transaction() as sql:
            sql.execute(statement, {"dataset": dataset, "window": window})
            return [Promotion(*row) for row in sql.fetchall()]

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
            BEFORE,
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
    """Move the pointer to `release` if it is unchanged since `seen`; returns whether it was.

    Raises TaskError if the release was removed as garbage meanwhile.
    """
    refer(sql, dataset, release_prefix(dataset, release))
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


def _publish(sql: cursor, row: tuple[str, str, str, str, str], seen: Champion | None) -> bool:
    """Insert (dataset, release, run, model, gate) unless it is there, and move the pointer; whether that was done."""
    sql.execute(
        "INSERT INTO rec.release (dataset, release, run, model, gate) VALUES (%s, %s, %s, %s, %s) "
        "ON CONFLICT DO NOTHING",
        row,
    )
    return _move(sql, row[0], row[1], "promoted", seen)


def _decide(sql: cursor, row: tuple[object, ...], answered: tuple[str | None, datetime | None] = (None, None)) -> None:
    """Upsert (run, dataset, model, outcome, release, inputs_hash, gate), and end the run unless it waits.

    `answered` is by whom and when. Who approved a release stays on record when its run is published again.
    """
    sql.execute(
        "INSERT INTO rec.decision AS d "
        "(run, dataset, model, outcome, release, inputs_hash, gate, answered_by, answered_at) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (run) DO UPDATE SET model = excluded.model, "
        "outcome = excluded.outcome, release = excluded.release, inputs_hash = excluded.inputs_hash, "
        "gate = excluded.gate, decided_at = now(), (answered_by, answered_at) = ("
        "SELECT d.answered_by, d.answered_at WHERE d.outcome = excluded.outcome AND d.release = excluded.release "
        "UNION ALL SELECT excluded.answered_by, excluded.answered_at LIMIT 1)",
        (*row, *answered),
    )
    run, outcome = row[0], row[3]
    status = {"promoted": "published", "rejected": "rejected"}.get(str(outcome))
    if status is not None:
        sql.execute("UPDATE rec.run SET status = %s, finished_at = now() WHERE run = %s", (status, run))
        sql.execute("SELECT rec.tell_decision(%s, %s)", (run, outcome))
