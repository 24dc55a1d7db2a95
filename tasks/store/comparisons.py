"""Comparisons in PostgreSQL: which models were trained with which seeds on what, and every metric of theirs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg2.extras import execute_values

from tasks.store.database import Database
from tasks.store.values import SegmentValue, require_finite

# What a retry may change of a trial; `recorded_at` moves only with one of these.
STATE = (
    *("status", "error", "hyperparameters", "fingerprint", "device", "code_version", "artefact"),
    *("seconds", "cpu", "peak_mib"),
)


@dataclass(frozen=True)
class TrialRow:
    """One trial: done, with what it cost and where its `artefact` lies in the store, or failed with an `error`.

    `fingerprint` is of all that decides its metrics beside world and seed.
    """

    world: str
    model: str
    seed: int
    hyperparameters: Mapping[str, object]
    fingerprint: str
    device: str
    code_version: str
    seconds: float | None = None
    cpu: float | None = None
    peak_mib: float | None = None
    artefact: str | None = None
    error: str | None = None

    @property
    def status(self) -> str:
        """As the table has it."""
        return "done" if self.error is None else "failed"


class Comparisons(Database):
    """One comparison a run: trials come one by one, from several processes if need be."""

    def start_comparison(self, run: str, dataset: str, dataset_hash: str, metric: str, k: int) -> None:
        """A comparison begins, or goes on. What was of another prepared dataset of this run is removed."""
        with self._transaction() as sql:
            sql.execute("DELETE FROM rec.comparison WHERE run = %s AND dataset_hash <> %s", (run, dataset_hash))
            sql.execute(
                "INSERT INTO rec.comparison (run, dataset, dataset_hash, metric, k) VALUES (%s, %s, %s, %s, %s) "
                "ON CONFLICT (run) DO UPDATE SET metric = excluded.metric, k = excluded.k",
                (run, dataset, dataset_hash, metric, k),
            )

    def record_trial(self, run: str, trial: TrialRow, values: Sequence[SegmentValue]) -> None:
        """Replace a trial with its metrics; those of the model with another fingerprint are removed.

        BadInput for a value that is not finite. The same trial again changes nothing.
        """
        require_finite(trial.model, values)
        key = (run, trial.world, trial.model, trial.seed)
        state = {name: getattr(trial, name) for name in STATE}
        state["hyperparameters"] = json.dumps(trial.hyperparameters)
        columns = ", ".join(STATE)
        with self._transaction() as sql:
            sql.execute(
                "DELETE FROM rec.comparison_trial WHERE run = %s AND model = %s AND fingerprint <> %s",
                (run, trial.model, trial.fingerprint),
            )
            sql.execute(
                f"INSERT INTO rec.comparison_trial AS t (run, world, model, seed, {columns}) "  # noqa: S608  names are ours
                f"VALUES (%s, %s, %s, %s, {', '.join(['%s'] * len(STATE))}) "
                "ON CONFLICT (run, world, model, seed) DO UPDATE SET "
                f"{', '.join(f'{name} = excluded.{name}' for name in STATE)}, recorded_at = now() WHERE "
                f"({', '.join(f't.{name}' for name in STATE)}) IS DISTINCT FROM "
                f"({', '.join(f'excluded.{name}' for name in STATE)})",
                (*key, *state.values()),
            )
            if sql.rowcount:
                sql.execute("UPDATE rec.comparison SET finished_at = NULL WHERE run = %s", (run,))
            sql.execute(
                "DELETE FROM rec.comparison_metric WHERE run = %s AND world = %s AND model = %s AND seed = %s", key
            )
            execute_values(
                sql,
                "INSERT INTO rec.comparison_metric (run, world, model, seed, split, segment, metric, k, value) "
                "VALUES %s",
                [(*key, row.split, row.segment, row.metric, row.k, row.value) for row in values],
            )

    def finish_comparison(self, run: str, against: str) -> None:
        """All trials that were asked for are there; differences are to the model `against`."""
        with self._transaction() as sql:
            sql.execute(
                "UPDATE rec.comparison SET against = %s, finished_at = now() "
                "WHERE run = %s AND (finished_at IS NULL OR against IS DISTINCT FROM %s)",
                (against, run, against),
            )
