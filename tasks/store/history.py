"""The metrics history in PostgreSQL: what ran, what was checked, how good it was, what is served.

Every write is an idempotent upsert by natural key, in one short transaction: a retried task leaves the same rows.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import pandas as pd
import psycopg2
from psycopg2.extensions import connection, cursor
from psycopg2.extras import execute_values

from tasks.errors import BadInput, NotFound, TaskError
from tasks.store.schema import migrate, pending

CONNECT_SECONDS = 10


@dataclass(frozen=True)
class MetricValue:
    """One figure of one model: recall at k = 20 on the test split, say."""

    split: str
    metric: str
    k: int
    value: float


@dataclass(frozen=True)
class Champion:
    """The release of a dataset that is served."""

    dataset: str
    release: str
    model: str
    run: str
    since: datetime
    version: int


@dataclass(frozen=True)
class Decision:
    """How a run ended: published or turned down."""

    run: str
    outcome: str
    release: str | None
    inputs_hash: str


def open_history(dsn: str | None = None) -> History:
    """The history at `dsn`, or at RECSYS_METRICS_DSN. BadInput when unset, or when its schema is not up to date."""
    dsn = dsn or os.environ.get("RECSYS_METRICS_DSN", "")
    if not dsn:
        raise BadInput("RECSYS_METRICS_DSN is not set, expected postgresql://... (`source .local/env` sets it for the local stack)")
    history = History(dsn)
    missing = pending(dsn)
    if missing:
        history.close()
        raise BadInput(f"the metrics database lacks {', '.join(missing)}, expected an up-to-date schema: run `python -m tasks migrate`")
    return history


class History:
    """A connection to the metrics database; a context manager."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        try:
            self._connection: connection = psycopg2.connect(dsn, connect_timeout=CONNECT_SECONDS)
        except psycopg2.OperationalError as error:
            place = psycopg2.extensions.parse_dsn(dsn)
            raise TaskError(
                f"no connection to database {place.get('dbname')} at {place.get('host')}:{place.get('port', 5432)}: "
                f"{' '.join(str(error).split())}"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def migrate(self) -> list[str]:
        """Bring the schema up to date; returns the names of the migrations applied."""
        return migrate(self._dsn)

    def start_run(self, run: str, dataset: str, config: Mapping[str, object], url: str | None = None) -> None:
        """A run begins, or begins again."""
        with self._transaction() as sql:
            sql.execute(
                "INSERT INTO rec.run (run, dataset, config, url) VALUES (%s, %s, %s, %s) ON CONFLICT (run) DO UPDATE SET "
                "dataset = excluded.dataset, config = excluded.config, url = excluded.url, status = 'running', finished_at = NULL",
                (run, dataset, json.dumps(config), url),
            )

    def finish_run(self, run: str, status: str) -> None:
        """A run ends: published, rejected, skipped or failed."""
        with self._transaction() as sql:
            sql.execute("UPDATE rec.run SET status = %s, finished_at = now() WHERE run = %s", (status, run))
            if not sql.rowcount:
                raise NotFound(f"run {run} is not in the metrics database, expected `scan` to have recorded it")

    def record_validation(self, run: str, report: Mapping[str, Any]) -> None:
        """Keep a report (`Report.model_dump()`): the suite, and each check with expected and observed."""
        results = report["results"]
        failed = sum(not result["success"] for result in results)
        rows = [
            (
                run, report["suite"], position, r["expectation"], r["column"], r["success"], str(r["expected"]), str(r["observed"]),
                r["unexpected_count"], r["element_count"], json.dumps([str(i) for i in r["sample_ids"]][:10]),
            )
            for position, r in enumerate(results)
        ]  # fmt: skip
        with self._transaction() as sql:
            sql.execute("DELETE FROM rec.validation WHERE run = %s AND suite = %s", (run, report["suite"]))
            sql.execute(
                "INSERT INTO rec.validation (run, suite, success, evaluated, failed) VALUES (%s, %s, %s, %s, %s)",
                (run, report["suite"], report["success"], len(results), failed),
            )
            execute_values(
                sql,
                "INSERT INTO rec.validation_result (run, suite, position, expectation, column_name, success, expected, observed, "
                "unexpected_count, element_count, sample_ids) VALUES %s",
                rows,
            )

    def record_training(
        self, run: str, model: str, encoder: str, seed: int, parameters: Mapping[str, object], artefact: str
    ) -> None:
        """A model was trained; `artefact` is where it lies in the store. A retry counts one attempt more."""
        with self._transaction() as sql:
            sql.execute(
                "INSERT INTO rec.training AS t (run, model, encoder, seed, parameters, artefact) VALUES (%s, %s, %s, %s, %s, %s) "
                "ON CONFLICT (run, model) DO UPDATE SET encoder = excluded.encoder, seed = excluded.seed, "
                "parameters = excluded.parameters, artefact = excluded.artefact, attempt = t.attempt + 1, recorded_at = now()",
                (run, model, encoder, seed, json.dumps(parameters), artefact),
            )

    def record_metrics(self, run: str, model: str, rows: Sequence[MetricValue]) -> None:
        """Replace the figures of a model of a run. BadInput for one that is not finite."""
        for row in rows:
            if not math.isfinite(row.value):
                raise BadInput(f"{row.metric}@{row.k} of {model} on {row.split} is {row.value}, expected a finite number")
        with self._transaction() as sql:
            sql.execute("DELETE FROM rec.metric WHERE run = %s AND model = %s", (run, model))
            execute_values(
                sql,
                "INSERT INTO rec.metric (run, model, split, metric, k, value) VALUES %s",
                [(run, model, row.split, row.metric, row.k, row.value) for row in rows],
            )

    def champion(self, dataset: str) -> Champion | None:
        """The release that is served, None when there is none yet."""
        row = self._row("SELECT dataset, release, model, run, since, version FROM rec.champion WHERE dataset = %s", dataset)
        return Champion(*row) if row else None

    def figure(self, run: str, model: str, split: str, metric: str, k: int) -> float | None:
        """One figure, None when it was never recorded."""
        row = self._row(
            "SELECT value FROM rec.metric WHERE run = %s AND model = %s AND split = %s AND metric = %s AND k = %s",
            run, model, split, metric, k,
        )  # fmt: skip
        return float(row[0]) if row else None

    def last_decision(self, dataset: str) -> Decision | None:
        """How the last run that came to a decision ended, None when none has."""
        row = self._row(
            "SELECT run, outcome, release, inputs_hash FROM rec.decision WHERE dataset = %s ORDER BY decided_at DESC LIMIT 1", dataset
        )
        return Decision(*row) if row else None

    def reject(self, dataset: str, run: str, model: str, gate: Mapping[str, object], inputs_hash: str) -> None:
        """Record that the best model of `run` was turned down."""
        with self._transaction() as sql:
            self._decide(sql, dataset, run, model, "rejected", None, gate, inputs_hash)

    def promote(
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
        """Record the release and make it champion, in one transaction.

        `seen` is the champion the gate compared with; False, and nothing recorded, when another has become champion since.
        """
        with self._transaction() as sql:
            sql.execute(
                "INSERT INTO rec.release (dataset, release, run, model) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
                (dataset, release, run, model),
            )
            moved = self._move(sql, dataset, release, "promoted", seen)
            if moved:
                self._decide(sql, dataset, run, model, "promoted", release, gate, inputs_hash)
            else:
                self._connection.rollback()
            return moved

    def rollback(self, dataset: str, release: str | None = None) -> Champion:
        """Serve `release` again, by default the one served before the present; returns the new champion."""
        now = self.champion(dataset)
        if now is None:
            raise NotFound(f"dataset {dataset!r} has no release, expected one to roll back from")
        if release is None:
            row = self._row(
                "SELECT previous FROM rec.pointer_move WHERE dataset = %s AND release = %s AND previous IS NOT NULL "
                "ORDER BY (reason = 'promoted') DESC, version DESC LIMIT 1",
                dataset, now.release,
            )  # fmt: skip
            if row is None:
                raise NotFound(f"dataset {dataset!r} was never served from another release than {now.release}, expected an earlier one")
            release = str(row[0])
        known = self._column("SELECT release FROM rec.release WHERE dataset = %s ORDER BY created_at DESC", dataset)
        if release not in known:
            raise NotFound(f"release {release!r} of {dataset!r} does not exist, expected one of {known[:20]}")
        with self._transaction() as sql:
            if not self._move(sql, dataset, release, "rolled back", now):
                raise TaskError(f"the champion of {dataset!r} changed meanwhile, expected {now.release}: look again and repeat")
        found = self.champion(dataset)
        if found is None:
            raise TaskError(f"the champion of {dataset!r} is gone, expected {release}")
        return found

    def media_changed(self, dataset: str, fingerprint: str) -> bool:
        """Remember `fingerprint`; returns whether it differs from the one remembered before."""
        with self._transaction() as sql:
            sql.execute(
                "INSERT INTO rec.media_seen AS s (dataset, fingerprint) VALUES (%s, %s) ON CONFLICT (dataset) DO UPDATE "
                "SET fingerprint = excluded.fingerprint, seen_at = now() WHERE s.fingerprint <> excluded.fingerprint",
                (dataset, fingerprint),
            )
            return bool(sql.rowcount)

    def table(
        self, *, dataset: str | None, model: str | None, metric: str | None, split: str | None, since: datetime | None
    ) -> pd.DataFrame:
        """Rows of rec.metric_change that match, oldest run first."""
        wanted = {"dataset": dataset, "model": model, "metric": metric, "split": split}
        given = {name: value for name, value in wanted.items() if value is not None}
        conditions = [f"{name} = %s" for name in given] + (["started_at >= %s"] if since else [])
        values = [*given.values(), *([since] if since else [])]
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        columns = ["dataset", "run", "started_at", "status", "model", "encoder", "split", "metric", "k", "value", "change", "is_champion"]
        with self._transaction() as sql:
            statement = f"SELECT {', '.join(columns)} FROM rec.metric_change{where} ORDER BY started_at, run, model"  # noqa: S608  names are ours
            sql.execute(statement, values)
            return pd.DataFrame(sql.fetchall(), columns=columns)

    def _move(self, sql: cursor, dataset: str, release: str, reason: str, seen: Champion | None) -> bool:
        if seen is None:
            sql.execute(
                "INSERT INTO rec.pointer (dataset, release, version) VALUES (%s, %s, 1) ON CONFLICT DO NOTHING", (dataset, release)
            )
        else:
            sql.execute(
                "UPDATE rec.pointer SET release = %s, version = version + 1, since = now() WHERE dataset = %s AND version = %s",
                (release, dataset, seen.version),
            )
        if not sql.rowcount:
            return False
        sql.execute(
            "INSERT INTO rec.pointer_move (dataset, version, release, previous, reason) VALUES (%s, %s, %s, %s, %s)",
            (dataset, (seen.version if seen else 0) + 1, release, seen.release if seen else None, reason),
        )
        return True

    @staticmethod
    def _decide(
        sql: cursor,
        dataset: str,
        run: str,
        model: str,
        outcome: str,
        release: str | None,
        gate: Mapping[str, object],
        inputs_hash: str,
    ) -> None:
        sql.execute(
            "INSERT INTO rec.decision (run, dataset, model, outcome, release, inputs_hash, gate) VALUES (%s, %s, %s, %s, %s, %s, %s) "
            "ON CONFLICT (run) DO UPDATE SET model = excluded.model, outcome = excluded.outcome, release = excluded.release, "
            "inputs_hash = excluded.inputs_hash, gate = excluded.gate, decided_at = now()",
            (run, dataset, model, outcome, release, inputs_hash, json.dumps(gate)),
        )
        status = "published" if outcome == "promoted" else "rejected"
        sql.execute("UPDATE rec.run SET status = %s, finished_at = now() WHERE run = %s", (status, run))

    def _row(self, statement: str, *values: object) -> tuple[Any, ...] | None:
        with self._transaction() as sql:
            sql.execute(statement, values)
            return sql.fetchone()

    def _column(self, statement: str, *values: object) -> list[str]:
        with self._transaction() as sql:
            sql.execute(statement, values)
            return [str(row[0]) for row in sql.fetchall()]

    @contextmanager
    def _transaction(self) -> Iterator[cursor]:
        try:
            with self._connection, self._connection.cursor() as sql:
                yield sql
        except psycopg2.errors.ForeignKeyViolation as error:
            raise NotFound(f"the metrics database knows no such row: {' '.join(str(error).split())}: run the steps in order") from error
        except psycopg2.OperationalError as error:
            raise TaskError(f"the metrics database broke off: {' '.join(str(error).split())}") from error
