"""The facts for a message from the metrics database. It only reads."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recsys.database import connect

FAILURES = """
SELECT suite, expectation, column_name, expected, observed, unexpected_count, element_count, sample_ids, severity
FROM rec.validation_failures WHERE run = %s ORDER BY severity, suite, position
"""
DECISION = "SELECT run, dataset, outcome, model, release, gate, answered_by AS by FROM rec.decision WHERE run = %s"
REPEATS = """
SELECT count(b.id), min(b.created_at)
FROM rec.message m
JOIN rec.message b ON b.scope = m.scope AND b.topic = m.topic AND b.settled_at IS NULL AND b.id < m.id
WHERE m.dag = %s AND m.run = %s AND m.kind IN ('failed', 'rejected')
"""
CHAMPION = "SELECT release, model, run, since FROM rec.champion WHERE dataset = %s"


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

    @property
    def title(self) -> str:
        """Expectation, column and suite, and whether it only informs."""
        column = f" on {self.column}" if self.column else ""
        warning = "" if self.severity == "critical" else f"{self.severity}: "
        return f"{warning}{self.expectation}{column} ({self.suite})"

    def details(self, most_ids: int) -> list[tuple[str, str]]:
        """Return name and value of what is known about it, with at most so many ids."""
        facts = [("expected", self.expected), ("observed", self.observed)]
        if self.unexpected_count is not None:
            of = "" if self.element_count is None else f" of {self.element_count}"
            facts.append(("count", f"{self.unexpected_count}{of}"))
        if self.sample_ids:
            facts.append(("items", ", ".join(" ".join(str(one).split()) for one in self.sample_ids[:most_ids])))
        return facts


@dataclass(frozen=True)
class Champion:
    """The release that is served."""

    release: str
    model: str
    run: str
    since: datetime


def read_failures(run: str) -> list[Failure]:
    """Return the failed expectations of `run`, critical ones first."""
    with closing(connect()) as database, database.cursor() as cursor:
        cursor.execute(FAILURES, (run,))
        return [Failure(*row) for row in cursor.fetchall()]


def read_champion(dataset: str) -> Champion | None:
    """Return the champion of `dataset`, or None."""
    with closing(connect()) as database, database.cursor() as cursor:
        cursor.execute(CHAMPION, (dataset,))
        row = cursor.fetchone()
        return Champion(*row) if row else None


def read_record(run: str) -> dict[str, Any] | None:
    """Return the decision of `run` as it was recorded, by column, or None."""
    with closing(connect()) as database, database.cursor() as cursor:
        cursor.execute(DECISION, (run,))
        row, columns = cursor.fetchone(), [column.name for column in cursor.description or ()]
        return dict(zip(columns, row, strict=True)) if row else None


def count_repeats(dag: str, run: str) -> tuple[int, datetime] | None:
    """Return how often what is wrong with `run` was told before and is still wrong, and since when, or None."""
    with closing(connect()) as database, database.cursor() as cursor:
        cursor.execute(REPEATS, (dag, run))
        row = cursor.fetchone()
        return (int(row[0]), row[1]) if row and row[0] else None
