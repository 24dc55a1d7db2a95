"""What `compare` leaves in the metrics database is what its report says."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pandas as pd
import psycopg2
import pytest

from tasks.errors import TaskError
from tasks.experiments import recording
from tasks.metrics import Metric
from tasks.models.ease import EASE
from tasks.steps.compare import compare
from tasks.store import Store, read_artefact, write_artefact
from tests.steps.night import DATASET, reach_prepare

pytestmark = pytest.mark.services
RUN = "manual__compare"
TABLES = ("comparison", "comparison_trial", "comparison_metric")


@pytest.fixture
def prepared(folder_store: Store, metrics_dsn: str) -> Store:
    """A store with a run up to `prepare`, and an empty metrics database."""
    assert metrics_dsn
    brief = {"max_epochs": 3, "embedding_size": 4, "content_size": 4}
    reach_prepare(folder_store, RUN, ["popularity", "ease", "vbpr"], {"vbpr": brief})
    return folder_store


def query(dsn: str, statement: str) -> pd.DataFrame:
    """What the database answers."""
    with closing(psycopg2.connect(dsn)) as database, database, database.cursor() as sql:
        sql.execute(statement)
        return pd.DataFrame(sql.fetchall(), columns=[str(column.name) for column in sql.description or ()])


def contents(dsn: str) -> list[list[tuple[object, ...]]]:
    """Every row of the three tables."""
    frames = [query(dsn, f"SELECT * FROM rec.{table} ORDER BY {table}::text") for table in TABLES]
    return [[tuple(map(str, row)) for row in frame.itertuples(index=False)] for frame in frames]


def change_hyperparameters(store: Store, model: str, **values: object) -> None:
    """As if the run had been planned with them."""
    plan = read_artefact(store, f"runs/{RUN}/scan").json("plan.json")
    plan["config"]["hyperparameters"].setdefault(model, {}).update(values)
    with write_artefact(store, f"runs/{RUN}/scan") as out:
        out.json("plan.json", plan)


def test_the_tables_have_what_the_report_has(prepared: Store, metrics_dsn: str) -> None:
    """Every metric of every trial in all three worlds, and the seconds; the summary has the report's means."""
    done = compare(run=RUN, seeds=2, against="ease", permute=True, cold=True, threads=1)
    reported = read_artefact(prepared, f"runs/{RUN}/compare").frame("figures.csv")
    rows = query(metrics_dsn, "SELECT * FROM rec.comparison_metric")
    rows["part"] = rows["split"].where(rows["segment"] == "all", rows["segment"])
    rows["figure"] = [str(Metric(name, k)) for name, k in zip(rows["metric"], rows["k"], strict=True)]
    trials = query(metrics_dsn, "SELECT world, model, seed, seconds, cpu, peak_mib FROM rec.comparison_trial")
    cost = trials.melt(["world", "model", "seed"], var_name="figure").assign(part="fit")
    columns = list(reported.columns)
    kept = pd.concat([rows[columns], cost[columns]]).sort_values(columns[:-1], ignore_index=True)
    pd.testing.assert_frame_equal(kept, reported.sort_values(columns[:-1], ignore_index=True), check_dtype=False)
    assert set(rows.loc[rows["world"] == "cold", "split"]) == {"test"}

    comparison = query(metrics_dsn, "SELECT * FROM rec.comparison").iloc[0]
    dataset = read_artefact(prepared, f"runs/{RUN}/prepare").manifest.content
    assert (comparison["run"], comparison["dataset"], comparison["dataset_hash"]) == (RUN, DATASET, dataset)
    assert (comparison["metric"], comparison["k"], comparison["against"]) == ("ndcg", 20, "ease")
    assert comparison["finished_at"] > comparison["started_at"]
    trial = query(metrics_dsn, "SELECT * FROM rec.comparison_trial WHERE model = 'vbpr' AND world = 'cold'").iloc[0]
    artefact = read_artefact(prepared, f"runs/{RUN}/compare-trials/cold/vbpr-7")
    assert (trial["artefact"], trial["code_version"]) == (artefact.prefix, artefact.manifest.code_version)
    assert (trial["device"], trial["hyperparameters"]["content_size"]) == ("cpu", 4)

    best = query(metrics_dsn, "SELECT * FROM rec.comparison_best ORDER BY valid DESC")
    assert best["model"].iloc[0] == done["best"]
    assert best["test"].iloc[0] == pytest.approx(done["test_ndcg@20"])
    plain = reported[(reported["world"] == "plain") & (reported["part"] == "test") & (reported["figure"] == "recall@5")]
    summary = query(
        metrics_dsn,
        "SELECT model, mean, deviation FROM rec.comparison_summary WHERE world = 'plain' AND split = 'test' "
        "AND metric = 'recall' AND k = 5",
    ).set_index("model")
    expected = plain.groupby("model")["value"].agg(["mean", "std"])
    for model, row in expected.iterrows():
        assert tuple(summary.loc[model]) == pytest.approx(tuple(row), abs=1e-12)


def test_the_same_call_again_changes_no_row(prepared: Store, metrics_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even a time; a trial keeps the version of the code that trained it."""
    compare(run=RUN, seeds=2, against="ease", threads=1)
    before = contents(metrics_dsn)
    assert [len(rows) > 0 for rows in before] == [True] * 3
    monkeypatch.setenv("RECSYS_CODE_VERSION", "newer")
    compare(run=RUN, seeds=2, against="ease", threads=1)
    assert contents(metrics_dsn) == before
    assert prepared


def test_an_interrupted_comparison_goes_on(prepared: Store, metrics_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ended is in the tables, also when the process died between the store and the database; no time of an end."""
    record, kill = recording.Recorder.record_done, "vbpr"

    def die(self: recording.Recorder, trial: Any, artefact: Any) -> None:
        if trial.arm.name == kill:
            raise KeyboardInterrupt
        record(self, trial, artefact)

    with monkeypatch.context() as only_now:
        only_now.setattr(recording.Recorder, "record_done", die)
        with pytest.raises(KeyboardInterrupt):
            compare(run=RUN, seeds=1, against="ease", threads=1)
    state = "SELECT model FROM rec.comparison_trial JOIN rec.comparison USING (run) WHERE finished_at IS {} NULL"
    assert set(query(metrics_dsn, state.format(""))["model"]) == {"popularity", "ease"}
    trained = read_artefact(prepared, f"runs/{RUN}/compare-trials/plain/vbpr-7").manifest
    compare(run=RUN, seeds=1, against="ease", threads=1)
    assert set(query(metrics_dsn, state.format("NOT"))["model"]) == {"popularity", "ease", "vbpr"}
    assert read_artefact(prepared, f"runs/{RUN}/compare-trials/plain/vbpr-7").manifest == trained


def test_a_failed_trial_is_a_row_with_its_reason_and_leaves_its_model_out(
    prepared: Store, metrics_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the views, as of the table in the report; when it succeeds later, it is as if it always had."""
    fit = EASE._fit

    def refuse_seed_8(self: EASE, options: Any) -> Any:
        if options.seed == 8:
            raise TaskError("not tonight")
        return fit(self, options)

    monkeypatch.setattr(EASE, "_fit", refuse_seed_8)
    with pytest.raises(TaskError, match="not tonight"):  # a fault, which a retry may mend, ends the call
        compare(run=RUN, models="popularity,ease", seeds=2, against="popularity", threads=1)
    assert len(query(metrics_dsn, "SELECT * FROM rec.comparison_trial WHERE status = 'failed'")) == 0
    monkeypatch.undo()
    monkeypatch.setenv("RECSYS_METRICS_DSN", metrics_dsn)
    monkeypatch.setenv("RECSYS_STORE", prepared.url)
    change_hyperparameters(prepared, "vbpr", regularization=1e300)
    with pytest.raises(TaskError, match="1 of 2 models failed"):
        compare(run=RUN, models="popularity,vbpr", seeds=1, against="popularity", threads=1)
    (row,) = query(metrics_dsn, "SELECT * FROM rec.comparison_trial WHERE status = 'failed'").itertuples()
    assert (row.model, row.seed, row.artefact) == ("vbpr", 7, None)
    assert "loss of vbpr was" in row.error
    models = "SELECT DISTINCT model FROM rec.comparison_summary ORDER BY model"
    assert query(metrics_dsn, models)["model"].tolist() == ["ease", "popularity"]
    change_hyperparameters(prepared, "vbpr", regularization=0.01)
    compare(run=RUN, models="popularity,vbpr", seeds=1, against="popularity", threads=1)
    assert query(metrics_dsn, models)["model"].tolist() == ["ease", "popularity", "vbpr"]


def test_trials_of_a_model_are_of_one_configuration_and_one_dataset(prepared: Store, metrics_dsn: str) -> None:
    """Other hyperparameters remove its older trials, in whatever world; another dataset removes those of all models."""
    trials = "SELECT world, model, seed FROM rec.comparison_trial ORDER BY world, model, seed"

    def kept() -> list[tuple[object, ...]]:
        return list(query(metrics_dsn, trials).itertuples(index=False, name=None))

    compare(run=RUN, models="ease,popularity", seeds=2, against="ease", cold=True, threads=1)
    assert len(kept()) == 8
    change_hyperparameters(prepared, "ease", relative_l2=0.5)
    compare(run=RUN, models="ease", seeds=1, against="ease", threads=1)
    popularity = [(world, "popularity", seed) for world in ("cold", "plain") for seed in (7, 8)]
    assert kept() == sorted([*popularity, ("plain", "ease", 7)])
    whole = read_artefact(prepared, f"runs/{RUN}/prepare")
    with write_artefact(prepared, f"runs/{RUN}/prepare", seed=99) as out:
        for name in whole.manifest.files:
            out.copy(name, whole)
        out.file("also.txt").write_text("other bytes")
    compare(run=RUN, models="ease", seeds=1, against="ease", threads=1)
    assert kept() == [("plain", "ease", 7)]
