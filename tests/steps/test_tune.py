"""`tune` on a prepared run, its trials in a real PostgreSQL."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psycopg2
import pytest
import yaml
from optuna.trial import FrozenTrial, Trial

from tasks.errors import BadInput, Diverged, NotFound, TaskError
from tasks.experiments.tuner import RANDOM, Search
from tasks.models import MODELS
from tasks.models.bpr import BPR
from tasks.models.ease import EASE
from tasks.models.popularity import Popularity
from tasks.steps.train import train
from tasks.steps.tune import count_trials, tune
from tasks.store import History, Store, read_artefact, write_artefact
from tasks.store.studies import Studies
from tasks.training import Real
from tests.steps.night import DATASET, reach_prepare
from tests.waiting import wait_for

RUN = "r1"
ROOT = Path(__file__).resolve().parents[2]
DEFAULTS = EASE.Config().model_dump(include=set(EASE.SEARCH))
QUICK = {"max_epochs": 8, "evaluate_every": 1, "patience": 8}


def ready(store: Store, run: str, hyperparameters: Mapping[str, dict[str, object]]) -> None:
    """A run up to `prepare` with these models."""
    reach_prepare(store, run, ["popularity", *hyperparameters], hyperparameters)


@pytest.fixture
def prepared(folder_store: Store) -> Store:
    """A store with a run up to `prepare`, whose plan makes BPR quick."""
    ready(folder_store, RUN, {"bpr": QUICK})
    return folder_store


def found(store: Store, model: str, run: str = RUN) -> dict[str, Any]:
    """What the step left."""
    kept: dict[str, Any] = read_artefact(store, f"runs/{run}/tune-{model}").json("tune.json")
    return kept


def drawn(store: Store, model: str, run: str = RUN) -> list[tuple[object, ...]]:
    """Its trials without their times."""
    return [(row["number"], row["state"], row["value"], row["params"]) for row in found(store, model, run)["trials"]]


@contextmanager
def an_open_search(model: type[EASE], name: str, dsn: str) -> Iterator[tuple[Studies, Search]]:
    """The study `name`, as another process has it."""
    with Studies(dsn) as studies:
        yield studies, Search(studies, name, model.SEARCH, [{"relative_l2": 3.25}], 7)


@pytest.mark.parametrize(("trials", "minutes"), [(None, None), (0, None), (None, 0.0), (3, -1.0), (-1, 5.0)])
def test_a_search_without_a_budget_is_refused(trials: int | None, minutes: float | None) -> None:
    """Before anything else is looked at."""
    with pytest.raises(BadInput, match=r"--trials nor --minutes|more than 0"):
        tune(run=RUN, model="ease", trials=trials, minutes=minutes)


def test_the_budget_is_what_is_used_up_first() -> None:
    """Trials or minutes; one trial always begins."""
    assert list(count_trials(3, None)) == list(count_trials(3, 10.0)) == [0, 1, 2]
    assert list(count_trials(None, 1e-9)) == list(count_trials(100, 1e-9)) == [0]


def test_an_unknown_model_is_an_error(prepared: Store) -> None:
    """It names the known ones."""
    with pytest.raises(BadInput, match=f"model 'eas' found, expected one of {', '.join(MODELS)}"):
        tune(run=RUN, model="eas", trials=1)


def test_a_model_with_nothing_to_tune_is_an_error(prepared: Store) -> None:
    """Rather than a search of nothing."""
    assert not Popularity.SEARCH
    with pytest.raises(BadInput, match="model popularity has nothing to tune"):
        tune(run=RUN, model="popularity", trials=1)


def test_a_hybrid_of_members_with_nothing_to_tune_is_an_error(
    folder_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All its trials would be the same."""
    monkeypatch.setattr(EASE, "SEARCH", {})
    ready(folder_store, RUN, {"hybrid": {"members": {"popularity": {}, "ease": {}}}})
    with pytest.raises(BadInput, match="model hybrid has nothing to tune"):
        tune(run=RUN, model="hybrid", trials=1)


def test_a_run_that_is_not_prepared_is_an_error(folder_store: Store) -> None:
    """It names what is missing."""
    with pytest.raises(NotFound, match="runs/nobody/scan"):
        tune(run="nobody", model="ease", trials=1)


@pytest.mark.services
def test_the_best_is_kept_and_no_worse_than_the_defaults(prepared: Store, metrics_dsn: str) -> None:
    """Trial 0 has the defaults; the best of all is the result, also of a model that the run does not train."""
    result = tune(run=RUN, model="ease", trials=12, threads=1)
    kept = found(prepared, "ease")
    rows = kept["trials"]
    assert rows[0]["params"] == DEFAULTS
    assert [row["state"] for row in rows] == ["complete"] * 12
    assert all(row["seconds"] > 0 and row["reason"] is None for row in rows)
    assert kept["best"]["value"] == max(row["value"] for row in rows) >= rows[0]["value"]
    assert kept["best"]["hyperparameters"] == rows[kept["best"]["number"]]["params"]
    assert result.items() >= kept["best"].items()
    assert (result["trials"], result["trials_now"]) == (12, 12)


@pytest.mark.services
def test_the_preset_it_writes_trains_to_the_score_it_promises(prepared: Store, metrics_dsn: str) -> None:
    """Pasted into a plan, with what that plan had said beside it, `train` gives the same model."""
    result = tune(run=RUN, model="bpr", trials=3, threads=1)
    text = read_artefact(prepared, f"runs/{RUN}/tune-bpr").path("preset.yaml").read_text()
    pasted = yaml.safe_load(text)["hyperparameters"]
    assert pasted["bpr"].items() >= QUICK.items()
    ready(prepared, "r2", pasted)
    assert train(run="r2", model="bpr", threads=1)["valid"] == result["value"]


@pytest.mark.services
def test_what_the_plan_has_is_tried_as_well(folder_store: Store, metrics_dsn: str) -> None:
    """Right after the defaults, so that a search never ends worse than what is trained every night."""
    members = {"cease": {"relative_l2": 2.0}, "ials": {"factors": 32}}
    ready(folder_store, RUN, {"hybrid": {"members": members, "weights": [1.0]}})
    tune(run=RUN, model="hybrid", trials=2, threads=1)
    default, planned = (row["params"] for row in found(folder_store, "hybrid")["trials"])
    assert planned == default | {"members.cease.relative_l2": 2.0, "members.ials.factors": 32}
    assert found(folder_store, "hybrid")["best"]["hyperparameters"]["weights"] == [1.0]


@pytest.mark.services
def test_a_hybrid_is_tuned_by_the_members_it_is_told(folder_store: Store, metrics_dsn: str) -> None:
    """One that learns by gradient among them, and none of the model's own: no two trials are alike."""
    members = {"bpr": QUICK | {"max_epochs": 2}, "ease": {"relative_l2": 2.0}}
    ready(folder_store, RUN, {"hybrid": {"members": members}})
    tune(run=RUN, model="hybrid", trials=4, threads=1)
    rows = found(folder_store, "hybrid")["trials"]
    assert [row["state"] for row in rows] == ["complete"] * 4
    assert len({json.dumps(row["params"]) for row in rows}) == 4
    own = {f"members.bpr.{key}" for key in BPR.SEARCH} | {"members.ease.relative_l2"}
    assert all(set(row["params"]) == own for row in rows)
    assert [row["params"]["members.ease.relative_l2"] for row in rows[:2]] == [3.25, 2.0]
    best = found(folder_store, "hybrid")["best"]["hyperparameters"]["members"]
    assert list(best) == ["bpr", "ease"]
    assert best["bpr"]["max_epochs"] == 2


@pytest.mark.services
def test_what_the_plan_has_beyond_a_range_widens_it(folder_store: Store, metrics_dsn: str) -> None:
    """So it is tried like any other, and what comes next may lie between."""
    ready(folder_store, RUN, {"ease": {"relative_l2": 500.0}})
    tune(run=RUN, model="ease", trials=8, threads=1)
    default, planned, *rest = (row["params"]["relative_l2"] for row in found(folder_store, "ease")["trials"])
    assert (default, planned) == (3.25, 500.0)
    assert all(0.1 <= value <= 500 for value in rest)
    assert any(value > EASE.SEARCH["relative_l2"].high for value in rest)


@pytest.mark.services
def test_what_the_plan_has_that_is_none_of_a_choice_stays(
    folder_store: Store, metrics_dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As a batch that suits the machine, around which the rest is searched, the defaults of the rest included."""
    ready(folder_store, RUN, {"bpr": {**QUICK, "batch_size": 512, "learning_rate": 0.05}})
    with caplog.at_level("INFO"):
        tune(run=RUN, model="bpr", trials=2, threads=1)
    assert "batch_size keeps the plan's value" in caplog.text
    kept = found(folder_store, "bpr")
    assert {key for row in kept["trials"] for key in row["params"]} == set(BPR.SEARCH) - {"batch_size"}
    assert [row["params"]["learning_rate"] for row in kept["trials"]] == [BPR.Config().learning_rate, 0.05]
    assert kept["best"]["hyperparameters"]["batch_size"] == 512


@pytest.mark.services
def test_a_weight_for_each_modality_stays(folder_store: Store, metrics_dsn: str) -> None:
    """One number for all cannot take its place, so the rest is searched around it."""
    ready(folder_store, RUN, {"cease": {"content": {"text": 2.0}, "dropout": 0.25}})
    tune(run=RUN, model="cease", trials=2, threads=1)
    kept = found(folder_store, "cease")
    assert {key for row in kept["trials"] for key in row["params"]} == {"relative_l2", "dropout", "history_exponent"}
    assert [row["params"]["dropout"] for row in kept["trials"]] == [0.5, 0.25]
    assert kept["best"]["hyperparameters"]["content"] == {"text": 2.0}


@pytest.mark.services
def test_three_trials_and_two_are_the_five_of_one_go(
    prepared: Store, metrics_dsn: str, empty_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command again goes on, with the numbers and the draws that would have come."""
    tune(run=RUN, model="ease", trials=3, threads=1)
    result = tune(run=RUN, model="ease", trials=2, threads=1)
    assert (result["trials"], result["trials_now"]) == (5, 2)
    resumed = drawn(prepared, "ease")
    assert [row[0] for row in resumed] == [0, 1, 2, 3, 4]
    monkeypatch.setenv("RECSYS_METRICS_DSN", empty_dsn)
    tune(run=RUN, model="ease", trials=5, threads=1)
    assert drawn(prepared, "ease") == resumed


@pytest.mark.services
def test_the_same_seed_draws_the_same_after_the_random_beginning(
    prepared: Store, metrics_dsn: str, empty_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The estimator as well; and no two trials are alike."""
    tune(run=RUN, model="itemknn", trials=14, threads=1)
    first = drawn(prepared, "itemknn")
    monkeypatch.setenv("RECSYS_METRICS_DSN", empty_dsn)
    tune(run=RUN, model="itemknn", trials=14, threads=1)
    assert drawn(prepared, "itemknn") == first
    assert len({json.dumps(row[3]) for row in first}) == 14


@pytest.mark.services
def test_test_interactions_are_not_looked_at(prepared: Store, metrics_dsn: str) -> None:
    """With other test items the same trials have the same scores, in a study of their own."""
    ready(prepared, "r2", {})
    before = read_artefact(prepared, "runs/r2/prepare")
    log = before.frame(f"{DATASET}_filtered.inter")
    pairs = set(zip(log["userID"], log["itemID"], strict=True))
    for place in log.index[log["x_label"] == 2]:
        user = log.loc[place, "userID"]
        log.loc[place, "itemID"] = item = next(i for i in range(40) if (user, i) not in pairs)
        pairs.add((user, item))
    with write_artefact(prepared, "runs/r2/prepare") as out:
        for name in before.manifest.files:
            if name.endswith(".inter"):
                out.frame(name, log)
            else:
                out.copy(name, before)
    results = [tune(run=run, model="ease", trials=4, threads=1) for run in (RUN, "r2")]
    assert drawn(prepared, "ease") == drawn(prepared, "ease", "r2")
    assert results[0]["study"] != results[1]["study"]


@pytest.mark.services
def test_minutes_end_a_search(prepared: Store, metrics_dsn: str) -> None:
    """Long before so many trials would."""
    result = tune(run=RUN, model="ease", trials=10_000, minutes=0.01, threads=1)
    assert 1 <= int(str(result["trials_now"])) < 10_000


@pytest.mark.services
def test_a_search_of_other_hyper_parameters_is_another_study(prepared: Store, metrics_dsn: str) -> None:
    """What stays as the plan has it decides the scores, so trials under another plan are not mixed with these."""
    ready(prepared, "r2", {"bpr": QUICK | {"max_epochs": 2}})
    ready(prepared, "r3", {"bpr": QUICK})
    one, two, three = (tune(run=run, model="bpr", trials=1, threads=1) for run in (RUN, "r2", "r3"))
    assert one["study"] != two["study"]
    assert one["study"] == three["study"]
    assert (one["trials"], two["trials"], three["trials"]) == (1, 1, 2)


@pytest.mark.services
def test_a_diverging_trial_is_recorded_and_the_search_goes_on(
    prepared: Store, metrics_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the reason, and without a score."""
    monkeypatch.setattr(BPR, "SEARCH", {"regularization": Real(1e-3, 1e300, log=True)})  # beyond float32
    tune(run=RUN, model="bpr", trials=5, threads=1)
    rows = found(prepared, "bpr")["trials"]
    diverged = [row for row in rows if row["state"] == "pruned"]
    assert len(rows) == 5
    assert diverged
    assert all("loss of bpr was" in row["reason"] and row["value"] is None for row in diverged)
    assert found(prepared, "bpr")["best"]["number"] not in {row["number"] for row in diverged}


@pytest.mark.services
def test_a_search_in_which_all_diverge_says_so(
    prepared: Store, metrics_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no result to write."""
    monkeypatch.setattr(BPR, "SEARCH", {"learning_rate": Real(1e-3, 1e-2)})
    ready(prepared, "r2", {"bpr": QUICK | {"regularization": 1e300}})
    with pytest.raises(
        TaskError, match=r"none of 2 trials is complete, expected at least one; the last: loss of bpr was"
    ):
        tune(run="r2", model="bpr", trials=2, threads=1)


@pytest.mark.services
def test_a_trial_far_behind_the_others_is_given_up(
    prepared: Store, metrics_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two epochs; its best so far is kept with the reason."""
    monkeypatch.setattr(BPR, "SEARCH", {"learning_rate": Real(1e-9, 5e-2, log=True)})
    tune(run=RUN, model="bpr", trials=12, threads=1)
    given_up = [row for row in found(prepared, "bpr")["trials"] if row["state"] == "pruned"]
    assert given_up
    for row in given_up:
        assert row["reason"].startswith("below the median of the others after")
        assert 0 < row["value"] < found(prepared, "bpr")["best"]["value"]


@pytest.mark.services
def test_any_other_error_ends_the_search(prepared: Store, metrics_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is recorded; when its cause is gone the search goes on, and the defaults are tried again."""

    def refuse(*_: object) -> None:
        raise BadInput("ease on this machine found, expected another")

    with monkeypatch.context() as patch:
        patch.setattr(EASE, "_fit", refuse)
        with pytest.raises(BadInput, match="ease on this machine"):
            tune(run=RUN, model="ease", trials=5, threads=1)
    tune(run=RUN, model="ease", trials=1, threads=1)
    failed, again = found(prepared, "ease")["trials"]
    assert (failed["state"], again["state"]) == ("fail", "complete")
    assert failed["reason"].startswith("BadInput: ease on")
    assert failed["params"] == again["params"] == DEFAULTS


@pytest.mark.services
def test_a_trial_of_a_killed_process_is_taken_over(prepared: Store, metrics_dsn: str) -> None:
    """At once; it has failed, and as it had the defaults they are tried again."""
    name = str(tune(run=RUN, model="itemknn", trials=1, threads=1)["study"]) + "-killed"
    code = (
        "import sys, time; from tests.steps.test_tune import EASE, an_open_search\n"
        "with an_open_search(EASE, *sys.argv[1:]) as (studies, search):\n"
        "    search.ask(); print('asked', flush=True); time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, name, metrics_dsn], cwd=ROOT, stdout=subprocess.PIPE)
    with process, an_open_search(EASE, name, metrics_dsn) as (studies, search):
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"asked\n"
            search.attempt(lambda _: 0.5)
            assert [trial.state.name for trial in search.trials] == ["RUNNING", "COMPLETE"]  # it is under way
        finally:
            process.kill()
        wait_for("the server to notice", lambda: studies.is_free(f"{name}/0"), deadline=60)
        search.attempt(lambda _: 0.4)
        assert [trial.state.name for trial in search.trials] == ["FAIL", "COMPLETE", "COMPLETE"]
        assert search.trials[2].params == search.trials[0].params == {"relative_l2": 3.25}
        assert search.trials[1].params != search.trials[0].params


@pytest.mark.services
def test_two_searches_at_once_share_a_study(prepared: Store, empty_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a database that has nothing yet: no number twice, no hyperparameters twice, and no fault."""
    monkeypatch.setenv("RECSYS_METRICS_DSN", empty_dsn)
    results: list[dict[str, object]] = []
    threads = [
        threading.Thread(target=lambda: results.append(tune(run=RUN, model="ease", trials=4, threads=1)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = found(prepared, "ease")["trials"]
    assert [result["trials_now"] for result in results] == [4, 4]
    assert [row["number"] for row in rows] == list(range(8))
    assert len({row["params"]["relative_l2"] for row in rows}) == 8


@pytest.mark.services
def test_its_tables_are_apart_from_the_metrics(prepared: Store, metrics_dsn: str, history: History) -> None:
    """Nothing outside of its own schema comes or goes, and the history does not mind."""

    def tables() -> set[tuple[str, str]]:
        with closing(psycopg2.connect(metrics_dsn)) as database, database.cursor() as sql:
            sql.execute("SELECT schemaname, tablename FROM pg_tables WHERE schemaname !~ '^pg_|^information_schema'")
            return set(sql.fetchall())

    before = tables()
    tune(run=RUN, model="ease", trials=1, threads=1)
    added = tables() - before
    assert before <= tables()
    assert {schema for schema, _ in added} == {"optuna"}
    history.require_schema()
    assert history.migrate() == []


@pytest.mark.services
def test_a_short_search_stays_near_what_was_good(metrics_dsn: str) -> None:
    """From the fifth trial on most draws are nearer to a start that is best than chance would have them."""
    space, best = {"x": Real(1e-4, 1, log=True), "y": Real(0, 1)}, {"x": 1e-1, "y": 0.9}

    def away(trial: FrozenTrial | Trial) -> float:
        return abs(float(np.log10(trial.params["x"])) + 1) / 4 + abs(trial.params["y"] - 0.9)

    with Studies() as studies:
        search = Search(studies, "near", space, [best], seed=0)
        distances = [away(search.attempt(lambda trial: -away(trial))) for _ in range(12)]
    drawn = np.random.default_rng(0).uniform(0, 1, (10_000, 2))
    chance = np.abs(drawn - np.array([0.75, 0.9])).sum(axis=1)
    assert distances[0] == 0
    assert np.median(distances[RANDOM:]) < np.quantile(chance, 0.3)


@pytest.mark.services
def test_a_search_turns_away_from_what_diverges(metrics_dsn: str) -> None:
    """What diverges lies where the scores rise to, and is not tried again and again."""

    def measure(trial: Trial) -> float:
        if trial.params["x"] > 0.5:
            raise Diverged("loss was nan")
        return float(trial.params["x"])

    with Studies() as studies:
        search = Search(studies, "edge", {"x": Real(0, 1)}, [{"x": 0.2}], seed=0)
        found = [search.attempt(measure) for _ in range(14)]
        best = search.best()
    assert sum(trial.params["x"] > 0.5 for trial in found[RANDOM:]) <= 5
    assert best is not None
    assert 0.45 < best.params["x"] <= 0.5
