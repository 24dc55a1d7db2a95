"""The facts for an alert from the metrics database. All of the plugin's SQL is here; it only reads views."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException

if TYPE_CHECKING:
    from psycopg2.extensions import connection

CONNECTION = "metrics_db"
SECONDS = 5  # to connect, and for each query: Airflow ends a callback after 50 s, including the email

FAILURES = """
SELECT suite, expectation, column_name, expected, observed, unexpected_count, element_count, sample_ids, severity
FROM rec.validation_failures WHERE run = %s ORDER BY severity, suite, position
"""
DECISION = "SELECT run, dataset, outcome, model, release, gate, answered_by AS by FROM rec.decision WHERE run = %s"
CHAMPION = "SELECT release, model, run, since FROM rec.champion WHERE dataset = %s"
# Runs of Airflow have a URL. Nobody records that one failed by a fault: it is still `running` when the next one ends.
BAD_RUNS = """
SELECT r.run, CASE r.status WHEN 'rejected' THEN 'rejected' ELSE 'failed' END
FROM rec.run this JOIN rec.run r ON r.dataset = this.dataset AND r.run <> this.run AND r.started_at < this.started_at
WHERE this.run = %s AND (r.status IN ('rejected', 'failed') OR r.status = 'running' AND r.url IS NOT NULL)
AND r.started_at > coalesce((
    SELECT max(d.decided_at) FROM rec.decision d
    WHERE d.dataset = this.dataset AND d.outcome = 'promoted' AND d.run <> this.run
), '-infinity')
ORDER BY r.started_at
"""
# It became old when its days were over, or when a rollback went back to it; who ended later than that has told of it.
NEWLY_OLD = """
SELECT made.created_at
FROM rec.champion c JOIN rec.release made USING (dataset, release),
LATERAL (SELECT greatest(c.since, made.created_at + make_interval(days => %(days)s))) AS became(old)
WHERE c.dataset = %(dataset)s AND became.old <= now() AND NOT EXISTS (
    SELECT FROM rec.run r
    WHERE r.dataset = c.dataset AND r.run <> %(run)s AND r.url IS NOT NULL AND r.finished_at >= became.old
)
"""


@dataclass(frozen=True)
class Failure:
    """One failed expectation of a run; only a critical one stops it."""

    suite: str
    expectation: str
    column: str | None
    expected: str
    observed: str
    unexpected_count: int | None
    element_count: int | None
    sample_ids: Sequence[str]
    severity: str = "critical"


@dataclass(frozen=True)
class Champion:
    """The release that is served."""

    release: str
    model: str
    run: str
    since: datetime


def read_failures(run: str) -> list[Failure]:
    """Return the failed expectations of `run`, critical ones first."""
    with closing(_connect()) as database, database.cursor() as cursor:
        cursor.execute(FAILURES, (run,))
        return [Failure(*row) for row in cursor.fetchall()]


def read_champion(dataset: str) -> Champion | None:
    """Return the champion of `dataset`, or None."""
    with closing(_connect()) as database, database.cursor() as cursor:
        cursor.execute(CHAMPION, (dataset,))
        row = cursor.fetchone()
        return Champion(*row) if row else None


def read_record(run: str) -> dict[str, Any] | None:
    """Return the decision of `run` as it was recorded, by column, or None."""
    with closing(_connect()) as database, database.cursor() as cursor:
        cursor.execute(DECISION, (run,))
        row, columns = cursor.fetchone(), [column.name for column in cursor.description or ()]
        return dict(zip(columns, row, strict=True)) if row else None


def read_bad_runs(run: str) -> list[tuple[str, str]]:
    """Return name and status of the runs before `run`, since the last promotion, that failed or were rejected."""
    with closing(_connect()) as database, database.cursor() as cursor:
        cursor.execute(BAD_RUNS, (run,))
        return [(name, status) for name, status in cursor.fetchall()]


def read_day_if_newly_old(dataset: str, run: str, days: int) -> datetime | None:
    """Return when the champion was made, if it is older than `days` and no run before `run` ended since it is."""
    with closing(_connect()) as database, database.cursor() as cursor:
        cursor.execute(NEWLY_OLD, {"dataset": dataset, "run": run, "days": days})
        row = cursor.fetchone()
        return row[0] if row else None


def _connect() -> connection:
    import psycopg2  # noqa: PLC0415  DAG files import this module when they are parsed; a parse needs no database

    options = f"-c statement_timeout={SECONDS * 1000} -c default_transaction_read_only=on"
    opened: connection = psycopg2.connect(**_address(), connect_timeout=SECONDS, options=options)
    return opened


def _address() -> dict[str, Any]:
    """Return the address from Airflow's connection `metrics_db` if it exists, else from RECSYS_METRICS_DSN."""
    try:
        metrics = Connection.get(CONNECTION)
    except AirflowNotFoundException:
        if dsn := os.environ.get("RECSYS_METRICS_DSN"):
            return {"dsn": dsn}
        raise
    names = ("host", "port", "user", "password", "dbname")
    values = (metrics.host, metrics.port, metrics.login, metrics.password, metrics.schema)
    return {name: value for name, value in zip(names, values, strict=True) if value is not None}
