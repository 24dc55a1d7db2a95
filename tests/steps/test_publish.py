"""The last box on a real store and a real metrics database: what is published, what is not, and what a fault leaves."""

from __future__ import annotations

import logging
from pathlib import Path

import psycopg2
import pyarrow as pa
import pytest

from tasks.__main__ import main
from tasks.data.records import Records
from tasks.errors import BadInput, Corrupt, NotFound, TaskError, ValidationFailed
from tasks.releases.server import ReleaseServer
from tasks.steps import publish as step
from tasks.steps.evaluate import evaluate
from tasks.steps.prepare import prepare
from tasks.steps.publish import publish
from tasks.steps.refit import refit
from tasks.steps.train import train
from tasks.store import History, Store, has_artefact, open_history, read_artefact, release_prefix
from tasks.store.item_records import replace_records
from tests.steps.night import DATASET, USERS, fail, objects, reach_publish, rewrite

pytestmark = pytest.mark.services
FILES = {
    *("model.safetensors", "config.json", "user_mapping.csv", "item_mapping.csv"),
    *("recommendations.parquet", "similar_items.parquet", "metrics.json"),
    *("serving.safetensors", "serving.json", "histories.safetensors"),
    *("arrivals.csv", "other_users.csv", "arrivals.json", "arrivals.safetensors"),
    *("twin_model.safetensors", "twin_config.json", "twin_serving.safetensors", "twin_serving.json"),
}


def served(history: History) -> str | None:
    """The release that is served."""
    champion = history.champion(DATASET)
    return champion.release if champion else None


def count(dsn: str, table: str) -> int:
    """Rows of a table of the metrics database."""
    connection = psycopg2.connect(dsn)
    try:
        with connection.cursor() as sql:
            sql.execute(f"SELECT count(*) FROM rec.{table}")
            ((found,),) = sql.fetchall()
            return int(found)
    finally:
        connection.close()


@pytest.mark.parametrize("kind", ["folder_store", "s3_store"])
def test_the_best_model_on_validation_is_published(
    kind: str, request: pytest.FixtureRequest, history: History, metrics_dsn: str
) -> None:
    """Whatever its metrics on test; the release is whole, the champion points to it and the run is closed."""
    store: Store = request.getfixturevalue(kind)
    reach_publish(store, history, "r1", {"popularity": 0.2, "ease": 0.3}, test={"popularity": 0.9, "ease": 0.1})
    found = publish(run="r1")
    release = str(found["release"])
    assert (found["published"], found["model"], found["valid_ndcg@20"]) == (True, "ease", 0.3)
    assert found["uri"] == f"{store.url}/releases/{DATASET}/{release}"
    assert served(history) == release
    assert objects(store, f"releases/{DATASET}/{release}/") == FILES | {"manifest.json"}
    artefact = read_artefact(store, f"releases/{DATASET}/{release}")
    for name in FILES:
        artefact.path(name)  # compares the hash
    assert artefact.json("metrics.json")["model"] == "ease"
    assert artefact.manifest.parameters["run"] == "r1"
    decision = read_artefact(store, "runs/r1/publish").json("decision.json")
    assert (decision["outcome"], decision["release"]) == ("promoted", release)
    assert decision["gate"]["candidate"]["figures"] == {"popularity": 0.2, "ease": 0.3}


def test_what_train_and_evaluate_make_can_be_published(folder_store: Store, history: History) -> None:
    """The real steps, and again: the same seed gives the same release, however long it took to train and evaluate."""
    reach_publish(folder_store, history, "r1", {"popularity": 0.0, "bpr": 0.0})
    found = []
    for _ in range(2):
        for model in ("popularity", "bpr"):
            train(run="r1", model=model, threads=1)
            evaluate(run="r1", model=model)
        refit(run="r1", threads=1)
        found.append(publish(run="r1"))
    assert found[0]["published"]
    assert found[0]["release"] == found[1]["release"]
    table = history.table(dataset=DATASET, model=None, split="valid", since=None, runs=10)
    assert table.loc[table["is_champion"], "model"].unique().tolist() == [found[0]["model"]]


def test_of_equal_models_the_first_of_the_plan_is_published(folder_store: Store, history: History) -> None:
    """A tie is decided by the order in which the run names its models."""
    reach_publish(folder_store, history, "r1", {"popularity": 0.3, "ease": 0.3})
    assert publish(run="r1")["model"] == "popularity"


@pytest.mark.fault("F16")
def test_a_worse_candidate_is_turned_down_and_that_is_no_failure(
    folder_store: Store, history: History, caplog: pytest.LogCaptureFixture
) -> None:
    """What is served stays; the decision, with its figures, is in log, store and database; nothing is released."""
    reach_publish(folder_store, history, "r1", {"ease": 0.3})
    first = publish(run="r1")["release"]
    reach_publish(folder_store, history, "r2", {"popularity": 0.9}, log_seed=1)
    with caplog.at_level(logging.WARNING):
        assert main(["publish", "--run", "r2"]) == 0
    assert "NOT PUBLISHED: popularity of run r2 was rejected: ndcg@20 ." in caplog.text
    assert "worse by more than the tolerance of 0.01" in caplog.text
    assert served(history) == first
    decision = history.last_decision(DATASET)
    assert decision is not None
    assert (decision.run, decision.outcome, decision.release) == ("r2", "rejected", None)
    kept = read_artefact(folder_store, "runs/r2/publish").json("decision.json")
    assert kept["outcome"] == "rejected"
    assert (kept["gate"]["champion"]["figure"], kept["gate"]["candidate"]["figures"]) == (0.3, {"popularity": 0.9})
    known = kept["gate"]["comparison"]["known"]
    assert known["candidate"] - known["other"] == pytest.approx(known["difference"])
    assert known["low"] < known["difference"] < known["high"] < 0
    assert kept["figures"].startswith("ndcg@20 .")
    assert kept["gate"]["champion"]["dataset"] != kept["gate"]["candidate"]["dataset"]
    assert len({info.key.split("/")[2] for info in folder_store.list(f"releases/{DATASET}/")}) == 1


def test_a_little_worse_is_good_enough(folder_store: Store, history: History) -> None:
    """Within the tolerance newer data win."""
    reach_publish(folder_store, history, "r1", {"ease": 0.3})
    publish(run="r1")
    reach_publish(folder_store, history, "r2", {"ease": 0.295}, users=USERS + 5, rules={"tolerance": 0.05})
    found = publish(run="r2")
    assert found["published"]
    assert str(found["reason"]).startswith(f"{found['figures']} against the champion on ")
    assert served(history) == found["release"]


def test_what_a_release_changes_is_recorded(folder_store: Store, history: History) -> None:
    """Beside the one that was served when it was made; the first one changes nothing that was there."""
    reach_publish(folder_store, history, "r1", {"ease": 0.3})
    first = publish(run="r1")["release"]
    reach_publish(folder_store, history, "r2", {"ease": 0.3}, users=USERS + 5)
    second = publish(run="r2", force_publish=True)["release"]
    columns = "release, served, users_new, users_gone, items_new, users_compared, kept BETWEEN 0 AND 1"
    assert history._rows(f"SELECT {columns} FROM rec.release_change") == [(second, first, 5, 0, 0, USERS, True)]
    counted = history._rows("SELECT value FROM rec.step_count WHERE run = 'r2' AND step = 'publish' AND name = 'users'")
    assert counted == [(USERS + 5,)]


def test_a_served_release_that_is_gone_leaves_what_changes_unsaid(
    folder_store: Store, history: History, caplog: pytest.LogCaptureFixture
) -> None:
    """A new release is needed all the more."""
    reach_publish(folder_store, history, "r1", {"ease": 0.3})
    gone = publish(run="r1")["release"]
    folder_store.delete(f"releases/{DATASET}/{gone}/recommendations.parquet")
    reach_publish(folder_store, history, "r2", {"ease": 0.3}, users=USERS + 5)
    assert publish(run="r2", force_publish=True)["published"]
    assert history._rows("SELECT release FROM rec.release_change") == []
    assert "is not recorded" in caplog.text


@pytest.mark.fault("F17")
def test_older_inputs_never_replace_newer_ones(folder_store: Store, history: History) -> None:
    """A task of last week that somebody clears does not bring back last week, however good its metrics."""
    reach_publish(folder_store, history, "older", {"ease": 0.4})
    reach_publish(folder_store, history, "newer", {"ease": 0.3}, log_seed=1, inputs=2)
    newer = publish(run="newer")["release"]
    found = publish(run="older")
    assert not found["published"]
    assert "older than those of the champion" in str(found["reason"])
    assert served(history) == newer


@pytest.mark.fault("F14")
def test_publishing_again_changes_nothing(folder_store: Store, history: History, metrics_dsn: str) -> None:
    """A cleared and repeated task gives the same release, one row of it, and does not touch the files."""
    reach_publish(folder_store, history, "r1", {"ease": 0.3})
    first = publish(run="r1")
    before = list(folder_store.list(f"releases/{DATASET}/"))
    since = history.champion(DATASET)
    assert publish(run="r1") == first | {"reason": "it has the content of the champion"}
    assert list(folder_store.list(f"releases/{DATASET}/")) == before
    assert history.champion(DATASET) == since
    assert (count(metrics_dsn, "release"), count(metrics_dsn, "pointer_move")) == (1, 1)


def test_the_same_content_of_another_run_is_the_same_release(
    folder_store: Store, history: History, metrics_dsn: str
) -> None:
    """Releases are named by what is in them; other data or metrics make another."""
    for run, seed, score in (("r1", 0, 0.3), ("r2", 0, 0.3), ("r3", 1, 0.3), ("r4", 1, 0.31)):
        reach_publish(folder_store, history, run, {"ease": score}, log_seed=seed)
    names = [publish(run=run, force_publish=True)["release"] for run in ("r1", "r2", "r3", "r4")]
    assert names[0] == names[1]
    assert len(set(names)) == 3
    assert count(metrics_dsn, "release") == 3


@pytest.mark.parametrize("check", ["check-embeddings", "check-dataset", "check-refit"])
def test_nothing_is_published_without_its_checks(folder_store: Store, history: History, check: str) -> None:
    """A check of this very run that is missing, or failed, refuses, and retrying is not offered."""
    reach_publish(folder_store, history, "r1", {"ease": 0.3})
    fail(folder_store, check)
    with pytest.raises(ValidationFailed, match=f"runs/r1/{check} failed"):
        publish(run="r1")
    folder_store.delete(f"runs/r1/{check}/manifest.json")
    with pytest.raises(NotFound, match=check):
        publish(run="r1")
    assert served(history) is None


@pytest.mark.fault("F5")
def test_checks_of_other_bytes_do_not_count(folder_store: Store, history: History) -> None:
    """Whoever prepares again has to check, train and evaluate again."""
    reach_publish(folder_store, history, "r1", {"ease": 0.3})
    prepare(run="r1")
    assert publish(run="r1")["published"]  # the same bytes again
    prepared = read_artefact(folder_store, "runs/r1/prepare")
    rewrite(folder_store, prepared, "user_mapping.csv")
    with pytest.raises(BadInput, match="train-ease was made from another runs/r1/prepare"):
        publish(run="r1")


def test_a_model_that_was_not_evaluated_is_named(folder_store: Store, history: History) -> None:
    """All models of the plan compete, or none is published."""
    reach_publish(folder_store, history, "r1", {"popularity": 0.1, "ease": 0.3})
    folder_store.delete("runs/r1/evaluate-popularity/manifest.json")
    with pytest.raises(NotFound, match="evaluate-popularity"):
        publish(run="r1")


def test_metrics_without_the_one_that_decides_are_refused(folder_store: Store, history: History) -> None:
    """A missing metric does not count as zero."""
    reach_publish(folder_store, history, "r1", {"ease": 0.3})
    inputs = [read_artefact(folder_store, f"runs/r1/{name}") for name in ("scan", "prepare", "train-ease")]
    with step.write_artefact(folder_store, "runs/r1/evaluate-ease", inputs=inputs) as out:
        out.json("metrics.json", {"model": "ease", "valid": {"ndcg@10": 0.2}, "test": {}})
    with pytest.raises(BadInput, match="no ndcg@20 on valid"):
        publish(run="r1")


@pytest.mark.fault("F5")
def test_a_flipped_byte_is_not_published(folder_store: Store, history: History) -> None:
    """The bytes of the model are those that were evaluated, or nothing is served."""
    reach_publish(folder_store, history, "r1", {"ease": 0.3})
    data = bytearray(folder_store.get("runs/r1/train-ease/model.safetensors"))
    data[-1] ^= 1
    folder_store.put("runs/r1/train-ease/model.safetensors", bytes(data))
    with pytest.raises(Corrupt, match=r"train-ease/model\.safetensors"):
        publish(run="r1")
    assert served(history) is None


@pytest.mark.fault("F4")
def test_a_fault_while_writing_leaves_no_release_and_the_retry_makes_it(
    folder_store: Store, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a release is invisible, and nobody is pointed to it."""
    reach_publish(folder_store, history, "r1", {"ease": 0.3})
    with monkeypatch.context() as patch:
        put_file = type(folder_store).put_file

        def dies(self: Store, key: str, path: Path) -> None:
            if key.endswith("similar_items.parquet"):
                raise RuntimeError("killed")
            put_file(self, key, path)

        patch.setattr(type(folder_store), "put_file", dies)
        with pytest.raises(RuntimeError, match="killed"):
            publish(run="r1")
    (release,) = {info.key.split("/")[2] for info in folder_store.list(f"releases/{DATASET}/")}
    assert not has_artefact(folder_store, f"releases/{DATASET}/{release}")
    assert served(history) is None
    assert publish(run="r1")["release"] == release
    assert served(history) == release
    assert has_artefact(folder_store, f"releases/{DATASET}/{release}")


@pytest.mark.fault("F13")
def test_who_loses_the_race_compares_again(
    folder_store: Store, history: History, metrics_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run became champion while this one wrote its release: a fault, and the retry meets the new champion."""
    reach_publish(folder_store, history, "slow", {"ease": 0.3})
    reach_publish(folder_store, history, "quick", {"ease": 0.5}, log_seed=1)
    make_release = step.make_release

    def overtaken(store: Store, evidence: step.Evidence) -> str:
        made = make_release(store, evidence)
        monkeypatch.setattr(step, "make_release", make_release)
        publish(run="quick")
        return made

    monkeypatch.setattr(step, "make_release", overtaken)
    with pytest.raises(TaskError, match="changed while") as caught:
        publish(run="slow")
    assert caught.value.exit_code == 1
    quick = served(history)
    assert count(metrics_dsn, "decision") == 1
    assert not publish(run="slow")["published"]
    assert served(history) == quick


def test_a_champion_without_scores_is_not_compared_with(folder_store: Store, history: History) -> None:
    """Nothing is assumed of a release whose record lacks what decides."""
    reach_publish(folder_store, history, "r1", {"ease": 0.3})
    assert history.promote(DATASET, "r1", "ease", "by-hand", {}, "h", seen=None)
    with pytest.raises(Corrupt, match="by-hand"):
        publish(run="r1")


@pytest.mark.fault("F4")
def test_a_retry_after_the_decision_writes_it_down(folder_store: Store, history: History) -> None:
    """Killed between the move of the champion and the end, the step ends the same when it is repeated."""
    reach_publish(folder_store, history, "r1", {"ease": 0.3})
    first = publish(run="r1")
    folder_store.delete("runs/r1/publish/manifest.json")
    again = publish(run="r1")
    assert again["release"] == first["release"]
    assert read_artefact(folder_store, "runs/r1/publish").json("decision.json")["outcome"] == "promoted"
    with open_history() as opened:
        assert opened.champion(DATASET) == history.champion(DATASET)


def test_a_release_answers_with_the_names_of_its_run(folder_store: Store, history: History) -> None:
    """Those that the plan pinned, and no others; a release with names has another name itself."""
    titles = pa.table({"item_id": ["tt0003", "elsewhere"], "title": ["Ran", "Heat"]})
    pinned = replace_records(folder_store, DATASET, Records(titles), parameters={}).prefix
    replace_records(folder_store, DATASET, Records(titles.slice(1)), parameters={})
    reach_publish(folder_store, history, "r1", {"ease": 0.2}, records=pinned)
    named = read_artefact(folder_store, release_prefix(DATASET, str(publish(run="r1")["release"])))
    assert named.manifest.parameters["records"] == pinned
    assert pinned in named.manifest.inputs
    lists = named.frame("recommendations.parquet")
    assert dict(zip(lists["item_id"], lists["title"].fillna(""), strict=True))["tt0003"] == "Ran"
    assert ReleaseServer(named).records.of("tt0003") == {"title": "Ran"}
    assert ReleaseServer(named).records.of("elsewhere") == {}
    reach_publish(folder_store, history, "r2", {"ease": 0.2}, inputs=2)
    plain = read_artefact(folder_store, release_prefix(DATASET, str(publish(run="r2")["release"])))
    assert plain.prefix != named.prefix
    assert "title" not in plain.frame("recommendations.parquet").columns
