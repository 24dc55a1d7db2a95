"""Nights under a real scheduler, with real PostgreSQL, S3 and mail: from files in a folder to a release, and what follows."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pandas as pd
import pytest

from tasks.store import read_artefact

if TYPE_CHECKING:
    from tests.e2e.conftest import Night, Site

pytestmark = pytest.mark.e2e
DATASET, ITEMS = "films", 60
MODELS = ["popularity", "ease", "bpr"]
MODALITIES = ["image", "audio", "text"]
ONCE = ["scan", "align", "check-embeddings", "prepare", "check-dataset", "publish", "modalities", "models"]


def test_the_first_night_ends_with_a_release(site: Site, first: Night) -> None:
    """Every box succeeded at its first try, once per modality and model, and nobody was mailed."""
    boxes = [*ONCE, *(f"extract {m}" for m in MODALITIES), *(f"{box} {m}" for box in ("train", "evaluate") for m in MODELS)]
    assert first.states() == dict.fromkeys(boxes, "success")
    assert {task["try_number"] for task in first.tasks} == {1}
    assert first.state == "success"
    assert site.mails() == []


def test_the_release_is_whole_and_is_what_is_served(site: Site, first: Night) -> None:
    """The champion row points to it; every file in it is the one its manifest names."""
    champion = site.history.champion(DATASET)
    assert champion is not None
    assert champion.run in (first.run, *later_runs(site, first))
    release = read_artefact(site.store, f"releases/{DATASET}/{champion.release}")
    expected = {"model.safetensors", "config.json", "user_mapping.csv", "item_mapping.csv", "metrics.json"}
    assert expected | {"recommendations.parquet", "similar_items.parquet"} <= set(release.manifest.files)
    for name in release.manifest.files:
        release.path(name)  # reading verifies the hash


def test_recommendations_speak_the_users_own_ids(site: Site, first: Night) -> None:
    """Ids are those of the log and of the media files, never row numbers."""
    log = pd.read_csv(site.catalogue / "from-0" / "interactions.csv", dtype=str)
    found = release_of(site, first)
    recommendations, similar = found.frame("recommendations.parquet"), found.frame("similar_items.parquet")
    films = {path.stem for path in (site.catalogue / "from-0" / "image").iterdir()}
    assert set(recommendations["user_id"].astype(str)) <= set(log["user_id"])
    assert set(recommendations["item_id"].astype(str)) <= films
    assert set(similar["item_id"].astype(str)) <= films
    assert len(recommendations) > 0


def test_metrics_of_every_model_are_in_the_history(site: Site, first: Night) -> None:
    """Validation and test, at every k; and they are figures, not zeros."""
    table = site.history.table(dataset=DATASET, model=None, metric="ndcg", split="test", since=None)
    mine = table[table["run"] == first.run]
    assert set(mine["model"]) == set(MODELS)
    assert set(mine["k"]) == {5, 10, 20, 50}
    assert mine["value"].between(0, 1).all()
    assert mine.groupby("model")["value"].max().gt(0).all()


def test_the_second_night_finds_nothing_new_and_is_skipped(site: Site, second: Night) -> None:
    """A success without work: no box after `scan` ran."""
    assert second.state == "success"
    worked = {task["task_id"] for task in second.tasks if task["state"] != "skipped"}
    assert worked == {"modalities", "models"}


def test_after_three_films_arrived_only_those_are_embedded(site: Site, third: Night) -> None:
    """All are in the new artefact, but only three were not found in the cache."""
    assert third.state == "success"
    for modality in MODALITIES:
        counts = read_artefact(site.store, f"runs/{third.run}/extract-{modality}").manifest.counts
        assert counts["items"] == ITEMS + 3
        assert counts["embedded"] == 3


def test_new_media_start_a_run_of_their_dataset(site: Site, third: Night) -> None:
    """`ingest_media`, switched on, reports what lies there; the run it starts sees that it is known and is skipped."""
    api = site.stack.api()
    api.unpause("ingest_media")
    look = site.follow(site.press_trigger("ingest_media"), "ingest_media")
    assert look.states() == {"discover": "success", "announce": "success"}
    runs = "/dags/retrain_nightly/dagRuns?limit=100"
    started = next(iter(triggered(api.get(runs)["dag_runs"])))
    night = site.follow(started)
    assert night.state == "success"
    assert night.states()["scan"] == "skipped"
    again = site.follow(site.press_trigger("ingest_media"), "ingest_media")
    assert again.states() == {"discover": "skipped", "announce": "skipped"}
    assert list(triggered(api.get(runs)["dag_runs"])) == [started]
