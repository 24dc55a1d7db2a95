"""The metrics history in PostgreSQL: runs, validations, metrics, and the champion.

Every write is an idempotent upsert by natural key, in one short transaction, so a retried task leaves the same rows.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd
from psycopg2.extras import execute_values

from tasks.errors import BadInput, NotFound
from tasks.store.champion import Champions
from tasks.store.comparisons import Comparisons
from tasks.store.garbage import Garbage
from tasks.store.layout import run_prefix
from tasks.store.schema import TABLE, migrate, names
from tasks.store.values import WHOLE, MetricValue, require_finite

DSN = "RECSYS_METRICS_DSN"
MOST_IDS = 10
PROFILE = ("measures", "sketch")  # columns of JSON
COLUMNS = (
    *("dataset", "run", "started_at", "status", "model", "encoder"),
    *("split", "metric", "k", "value", "change", "is_champion"),
)

LAST_RUNS = f"""
WITH shown AS (
    SELECT run, dataset, started_at FROM rec.run r
    WHERE (%(dataset)s::text IS NULL OR dataset = %(dataset)s)
      AND (%(since)s::timestamptz IS NULL OR started_at >= %(since)s)
      AND EXISTS (SELECT FROM rec.metric m WHERE m.run = r.run AND (%(model)s::text IS NULL OR m.model = %(model)s)
                    AND (%(split)s::text IS NULL OR m.split = %(split)s))
    ORDER BY started_at DESC, run DESC LIMIT %(runs)s
), before AS (
    SELECT DISTINCT earlier.run FROM shown s JOIN rec.training t USING (run) CROSS JOIN LATERAL (
        SELECT r.run FROM rec.run r JOIN rec.training o USING (run)
        WHERE r.dataset = s.dataset AND (r.started_at, r.run) < (s.started_at, s.run)
          AND (o.model, o.encoder, o.features_hash) IS NOT DISTINCT FROM (t.model, t.encoder, t.features_hash)
        ORDER BY r.started_at DESC, r.run DESC LIMIT 1
    ) earlier
), changed AS (
    SELECT *, value - lag(value) OVER (
        PARTITION BY dataset, model, encoder, features_hash, split, metric, k ORDER BY started_at, run
    ) AS change
    FROM rec.metrics_history
    WHERE run IN (SELECT run FROM shown UNION SELECT run FROM before)
      AND (%(model)s::text IS NULL OR model = %(model)s) AND (%(split)s::text IS NULL OR split = %(split)s)
)
SELECT {", ".join(COLUMNS)} FROM changed WHERE run IN (SELECT run FROM shown)
ORDER BY started_at, run, model, metric, k
"""  # noqa: S608  names are ours


def without_database() -> bool:
    """Whether RECSYS_METRICS_DSN says that there is no metrics database, and that this is meant."""
    return os.environ.get(DSN) == "none"


def metrics_dsn(dsn: str | None = None) -> str:
    """`dsn`, or RECSYS_METRICS_DSN; BadInput when neither is given, or when it is `none`."""
    address = dsn or os.environ.get(DSN, "")
    if not address:
        raise BadInput(
            f"{DSN} is not set, expected postgresql://... (`source .local/env` sets it for the local stack), or none "
            "for runs without a database"
        )
    if dsn is None and without_database():
        raise BadInput(f"{DSN} is none, expected postgresql://...: this command needs the metrics database")
    return address


def open_history(dsn: str | None = None) -> History:
    """Open the history at `dsn` or RECSYS_METRICS_DSN. Raises BadInput without either or for an outdated schema."""
    history = History(metrics_dsn(dsn))
    try:
        history.require_schema()
    except BaseException:
        history.close()
        raise
    return history


class History(Champions, Comparisons, Garbage):
    """The metrics database: runs, validations, trainings, metrics; what is served (Champions), comparisons, garbage."""

    def migrate(self) -> list[str]:
        """Apply missing migrations; returns their names."""
        return migrate(self._dsn)

    def require_schema(self) -> None:
        """Raise BadInput unless every migration has been applied; only reads."""
        made = self._row("SELECT 1 WHERE to_regclass(%s) IS NOT NULL", TABLE)
        rows = self._rows(f"SELECT migration_id FROM {TABLE}") if made else []  # noqa: S608  a constant
        missing = sorted(set(names()) - {str(row[0]) for row in rows})
        if missing:
            raise BadInput(
                f"the metrics database lacks {', '.join(missing)}, expected an up-to-date schema: "
                "run `python -m tasks migrate`"
            )

    def start_run(self, run: str, dataset: str, config: Mapping[str, object], url: str | None = None) -> None:
        """Record that a run starts, or starts again."""
        with self._transaction() as sql:
            sql.execute(
                "INSERT INTO rec.run (run, dataset, config, url) VALUES (%s, %s, %s, %s) "
                "ON CONFLICT (run) DO UPDATE SET dataset = excluded.dataset, config = excluded.config, "
                "url = excluded.url, status = 'running', finished_at = NULL",
                (run, dataset, json.dumps(config), url),
            )
        self.rescue(dataset, run_prefix(run))

    def finish_run(self, run: str, status: str) -> None:
        """Record that a run ends as published, rejected, skipped or failed."""
        with self._transaction() as sql:
            sql.execute("UPDATE rec.run SET status = %s, finished_at = now() WHERE run = %s", (status, run))
            if not sql.rowcount:
                raise NotFound(f"run {run} is not in the metrics database, expected `scan` to have recorded it")

    def record_validation(self, run: str, report: Mapping[str, Any]) -> None:
        """Record a report (`Report.model_dump()`): the suite, each check, and the profiles of what was checked."""
        suite, results = report["suite"], report["results"]
        unmet = [result["severity"] for result in results if not result["success"]]
        rows = [
            (
                *(run, suite, position, r["expectation"], r["column"], r["success"]),
                *(str(r["expected"]), str(r["observed"]), r["unexpected_count"], r["element_count"]),
                json.dumps([str(i) for i in r["sample_ids"]][:MOST_IDS]),
                *(r["severity"], r["type"], json.dumps(r["arguments"], allow_nan=False), r.get("value")),
            )
            for position, r in enumerate(results)
        ]
        with self._transaction() as sql:
            sql.execute("DELETE FROM rec.validation WHERE run = %s AND suite = %s", (run, suite))
            sql.execute(
                "INSERT INTO rec.validation (run, suite, success, evaluated, failed, warned) "
                "VALUES (%s, %s, %s, %s, %s, %s)",
                (run, suite, report["success"], len(results), unmet.count("critical"), unmet.count("warning")),
            )
            execute_values(
                sql,
                "INSERT INTO rec.validation_result (run, suite, position, expectation, column_name, success, "
                "expected, observed, unexpected_count, element_count, sample_ids, severity, type, arguments, value) "
                "VALUES %s",
                rows,
            )
            execute_values(
                sql,
                "INSERT INTO rec.profile (run, suite, subject, origin, measures, sketch) VALUES %s",
                [
                    (run, suite, p["subject"], p["origin"], *(json.dumps(p[part], allow_nan=False) for part in PROFILE))
                    for p in report["profiles"]
                ],
            )

    def profiles(self, run: str, suite: str) -> list[dict[str, Any]]:
        """Return the profiles that a check of a run recorded: subject, origin, measures, sketch."""
        names = ("subject", "origin", *PROFILE)
        rows = self._rows(
            f"SELECT {', '.join(names)} FROM rec.profile WHERE run = %s AND suite = %s ORDER BY subject",  # noqa: S608  ours
            *(run, suite),
        )
        return [dict(zip(names, row, strict=True)) for row in rows]

    def record_training(  # noqa: PLR0917  a row has as many values as columns
        self,
        run: str,
        model: str,
        encoder: str,
        seed: int,
        parameters: Mapping[str, object],
        artefact: str,
        *,
        features: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """A model was trained; `artefact` is where it lies in the store. A retry counts one attempt more.

        `features`: name -> modality and encoder. Metrics are compared with those of an earlier run of the same.
        """
        with self._transaction() as sql:
            sql.execute(
                "INSERT INTO rec.training AS t (run, model, encoder, seed, parameters, artefact, features) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (run, model) DO UPDATE SET "
                "encoder = excluded.encoder, seed = excluded.seed, parameters = excluded.parameters, "
                "artefact = excluded.artefact, features = excluded.features, "
                "attempt = t.attempt + 1, recorded_at = now()",
                (run, model, encoder, seed, json.dumps(parameters), artefact, json.dumps(features or {})),
            )

    def record_metrics(self, run: str, model: str, rows: Sequence[MetricValue]) -> None:
        """Replace the metrics of a model of a run. BadInput for one that is not finite."""
        require_finite(model, rows)
        with self._transaction() as sql:
            sql.execute("DELETE FROM rec.metric WHERE run = %s AND model = %s", (run, model))
            execute_values(
                sql,
                "INSERT INTO rec.metric (run, model, split, metric, k, segment, value, low, high) VALUES %s",
                [
                    (*(run, model, row.split, row.metric, row.k), getattr(row, "segment", WHOLE), *_figures(row))
                    for row in rows
                ],
            )

    def record_counts(self, run: str, step: str, counts: Mapping[str, int]) -> None:
        """Replace what a step of a run counted."""
        with self._transaction() as sql:
            sql.execute("DELETE FROM rec.step_count WHERE run = %s AND step = %s", (run, step))
            execute_values(
                sql,
                "INSERT INTO rec.step_count (run, step, name, value, position) VALUES %s",
                [(run, step, name, value, position) for position, (name, value) in enumerate(counts.items())],
            )

    def record_changes(self, dataset: str, release: str, served: str, changes: Mapping[str, object]) -> None:
        """Replace what a release changes, compared with the one that is served."""
        row = {"dataset": dataset, "release": release, "served": served} | dict(changes)
        row["examples"] = json.dumps(row["examples"])
        with self._transaction() as sql:
            sql.execute(
                "DELETE FROM rec.release_change WHERE dataset = %s AND release = %s AND served = %s",
                (dataset, release, served),
            )
            statement = f"INSERT INTO rec.release_change ({', '.join(row)}) VALUES %s"  # noqa: S608  names are ours
            execute_values(sql, statement, [tuple(row.values())])

    def find_changes(self, dataset: str, *, media: str, interactions: str | None) -> list[str]:
        """Record what a dataset looks like; returns which of `media` and `interactions` differ from the last call.

        `media` is a fingerprint, empty without any; `interactions` the version of the log, None without one.
        """
        now = {"media": media, "interactions": interactions}
        with self._transaction() as sql:
            sql.execute("LOCK TABLE rec.media_seen IN SHARE ROW EXCLUSIVE MODE")  # of two looks at once one reports
            sql.execute("SELECT fingerprint, interactions FROM rec.media_seen WHERE dataset = %s", (dataset,))
            before = dict(zip(now, sql.fetchone() or ("", None), strict=True))
            sql.execute(
                "INSERT INTO rec.media_seen (dataset, fingerprint, interactions) VALUES (%s, %s, %s) "
                "ON CONFLICT (dataset) DO UPDATE SET fingerprint = excluded.fingerprint, "
                "interactions = excluded.interactions, seen_at = now()",
                (dataset, media, interactions),
            )
        return [what for what in now if now[what] != before[what]]

    def number_inputs(self, dataset: str, state: Mapping[str, str]) -> int:
        """Return the number of a state of a dataset's inputs, counting each that differs from the one before it.

        What is older is told by these numbers and not by clocks, of which one may be wrong.
        """
        digest = hashlib.sha256(json.dumps(dict(state), sort_keys=True).encode()).hexdigest()
        with self._transaction() as sql:
            sql.execute("LOCK TABLE rec.inputs IN SHARE ROW EXCLUSIVE MODE")
            sql.execute(
                "SELECT number, hash FROM rec.inputs WHERE dataset = %s ORDER BY number DESC LIMIT 1", (dataset,)
            )
            number, last = sql.fetchone() or (0, None)
            if last != digest:
                number += 1
                row = (dataset, number, digest)
                sql.execute("INSERT INTO rec.inputs (dataset, number, hash) VALUES (%s, %s, %s)", row)
        return int(number)

    def require_known(self, *, dataset: str | None, model: str | None) -> None:
        """Raise NotFound with the known names for a dataset without a run, or a model that was never trained."""
        for kind, name, table in (("dataset", dataset, "rec.run"), ("model", model, "rec.training")):
            if name is None:
                continue
            known = [str(row[0]) for row in self._rows(f"SELECT DISTINCT {kind} FROM {table} ORDER BY 1")]  # noqa: S608  ours
            if name not in known:
                raise NotFound(
                    f"{kind} {name!r} is not in the metrics database, expected "
                    + (f"one of {', '.join(known)}" if known else "a run to have recorded it: there is none yet")
                )

    def table(
        self, *, dataset: str | None, model: str | None, split: str | None, since: datetime | None, runs: int
    ) -> pd.DataFrame:
        """Return the rows of rec.metric_change (columns COLUMNS) of the last `runs` that match, oldest run first.

        The view compares each figure with the run before of the same series; here only these and the runs before them
        are read, whatever there is of older ones.
        """
        rows = self._rows(LAST_RUNS, dataset=dataset, model=model, split=split, since=since, runs=runs)
        return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"change": float})  # NaN where there is none before


def _figures(row: MetricValue) -> tuple[float, float | None, float | None]:
    return row.value, row.low, row.high
