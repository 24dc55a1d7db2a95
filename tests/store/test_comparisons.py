"""Comparisons on a real PostgreSQL, apart from the command that makes them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import psycopg2
import pytest

from tasks.errors import BadInput, NotFound
from tasks.store import History, SegmentValue, TrialRow

pytestmark = pytest.mark.services
TRIAL = TrialRow("plain", "ease", 7, {"l2": 1.0}, "f1", "cpu", "commit", seconds=0.5, artefact="runs/r/t")


def rows(dsn: str, statement: str, *values: object) -> list[tuple[object, ...]]:
    """What a query of the database gives."""
    with closing(psycopg2.connect(dsn)) as database, database, database.cursor() as sql:
        sql.execute(statement, values)
        return sql.fetchall()


def record(history: History, run: str, model: str, valid: float, test: float, *, dataset: str = "hash") -> None:
    """A comparison of one model with two seeds whose mean is given."""
    history.start_comparison(run, "films", dataset, "ndcg", 20)
    for seed in (7, 8):
        offset = 0.01 if seed == 7 else -0.01
        values = [SegmentValue("valid", "ndcg", 20, valid + offset), SegmentValue("test", "ndcg", 20, test + offset)]
        trial = replace(TRIAL, model=model, seed=seed, hyperparameters={"of": run})
        history.record_trial(run, trial, [*values, SegmentValue("valid", "recall", 20, 0.9)])


def test_the_best_of_each_model_is_chosen_on_validation(history: History, metrics_dsn: str) -> None:
    """Over all runs on the same prepared dataset, though another is better on test; other datasets are apart."""
    record(history, "r1", "ease", 0.3, 0.1)
    record(history, "r2", "ease", 0.2, 0.4)
    record(history, "r2", "bpr", 0.1, 0.1)
    record(history, "r3", "ease", 0.9, 0.9, dataset="other")
    best = rows(
        metrics_dsn,
        "SELECT model, run, round(valid::numeric, 6)::float, round(test::numeric, 6)::float, seeds, "
        "hyperparameters->>'of' FROM rec.comparison_best WHERE dataset_hash = 'hash' ORDER BY valid DESC",
    )
    assert best == [("ease", "r1", 0.3, 0.1, 2, "r1"), ("bpr", "r2", 0.1, 0.1, 2, "r2")]


def test_a_model_with_a_failed_trial_is_in_no_view(history: History, metrics_dsn: str) -> None:
    """However many others of its trials ended, and in whatever world; until the failed one ends as well."""
    record(history, "r", "ease", 0.3, 0.3)
    record(history, "r", "bpr", 0.2, 0.2)
    failed = replace(TRIAL, world="cold", model="bpr", seconds=None, artefact=None, error="loss was nan")
    history.record_trial("r", failed, [])
    models = "SELECT DISTINCT model FROM rec.comparison_{} ORDER BY model"
    for view in ("summary", "best"):
        assert rows(metrics_dsn, models.format(view)) == [("ease",)]
    history.record_trial("r", replace(TRIAL, world="cold", model="bpr"), [])
    for view in ("summary", "best"):
        assert rows(metrics_dsn, models.format(view)) == [("bpr",), ("ease",)]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_value_that_is_not_finite_is_refused(history: History, metrics_dsn: str, value: float) -> None:
    """By the code with a sentence, and by the database itself."""
    record(history, "r", "ease", 0.3, 0.3)
    before = rows(metrics_dsn, "SELECT * FROM rec.comparison_metric")
    with pytest.raises(BadInput, match=r"map at k = 5 of ease on test is .*, expected a finite number"):
        history.record_trial("r", TRIAL, [SegmentValue("test", "map", 5, value)])
    with pytest.raises(psycopg2.errors.CheckViolation):
        rows(
            metrics_dsn,
            "INSERT INTO rec.comparison_metric VALUES ('r', 'plain', 'ease', 7, 'test', 'all', 'map', 5, %s) "
            "RETURNING 1",
            value,
        )
    assert rows(metrics_dsn, "SELECT * FROM rec.comparison_metric") == before


def test_a_trial_belongs_to_a_comparison(history: History) -> None:
    """Steps out of order are told so."""
    with pytest.raises(NotFound, match="the steps before it"):
        history.record_trial("nobody", TRIAL, [])


def test_a_changed_trial_reopens_the_comparison(history: History, metrics_dsn: str) -> None:
    """And the same again does not."""
    record(history, "r", "ease", 0.3, 0.3)
    history.finish_comparison("r", "ease")
    ended = "SELECT finished_at IS NOT NULL FROM rec.comparison"
    assert rows(metrics_dsn, ended) == [(True,)]
    record(history, "r", "ease", 0.3, 0.3)
    assert rows(metrics_dsn, ended) == [(True,)]
    history.record_trial("r", replace(TRIAL, seconds=9.0), [])
    assert rows(metrics_dsn, ended) == [(False,)]


def test_who_reads_metrics_reads_comparisons(history: History, metrics_dsn: str) -> None:
    """The role of docker/postgres/databases.sql, and it writes none."""
    assert history
    grants = "CREATE ROLE reader_of_comparisons; GRANT pg_read_all_data TO reader_of_comparisons; SELECT 1"
    rows(metrics_dsn, grants)
    try:
        reader = "SET ROLE reader_of_comparisons; "
        assert rows(metrics_dsn, f"{reader} SELECT * FROM rec.comparison_best") == []
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            rows(metrics_dsn, f"{reader} DELETE FROM rec.comparison RETURNING 1")
    finally:
        rows(metrics_dsn, "DROP ROLE reader_of_comparisons; SELECT 1")
