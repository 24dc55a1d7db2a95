"""Nights under a real scheduler with real PostgreSQL, S3 and mail: from files in a folder to a release, and on."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from urllib.parse import quote

import pandas as pd
import pytest

from tasks.store import Artefact, read_artefact
from tests.e2e.site import Night, Site

pytestmark = pytest.mark.e2e
MODALITIES = ["image", "audio", "text"]
ONCE = ["features", "models", "scan", "align", "check-embeddings", "prepare", "check-dataset", "refit", "publish"]
ONCE += ["announce"]


def release_of(site: Site, night: Night) -> Artefact:
    """What a night published."""
    decision = read_artefact(site.store, f"runs/{night.run}/publish").json("decision.json")
    assert decision["published"]
    return read_artefact(site.store, f"releases/{site.dataset}/{decision['release']}")


def test_the_first_night_ends_with_a_release(site: Site, first: Night) -> None:
    """Every box succeeded at its first try, once per modality and model; nobody was asked or mailed."""
    boxes = [*ONCE, *(f"extract {modality}" for modality in MODALITIES)]
    boxes += [f"{box} {model}" for box in ("train", "evaluate") for model in site.models]
    assert first.states() == dict.fromkeys(boxes, "success") | dict.fromkeys(("approve", "promote"), "skipped")
    assert {task["try_number"] for task in first.tasks if task["state"] == "success"} == {1}
    assert first.state == "success"
    assert first.mails == []


def test_the_grid_says_what_a_night_came_to(site: Site, first: Night, second: Night) -> None:
    """The scheduler wrote the note of each run when it ended."""
    notes = []
    for night in (first, second):
        note, _, link = site.stack.api().run("retrain_nightly", night.run)["note"].rpartition(" ([history](")
        assert link == f"{site.stack.url}/plugin/recsys/recsys/run?run={quote(night.run, safe='')}))"
        notes.append(note)
    counts = r"\d+ arrivals?, \d+ files? refused, \d+ warnings?"
    assert re.fullmatch(rf"promoted (popularity|bpr), NDCG@20 \.\d{{4}}, not compared, {counts}", notes[0])
    run = first.run.replace("_", r"\_")  # the note is Markdown
    assert notes[1].startswith(f"skipped: nothing is new since run {run}, which published a release")


def test_the_release_is_whole_and_is_what_is_served(site: Site, first: Night) -> None:
    """The champion row pointed to it when the night ended; every file is the one that its manifest names."""
    release = release_of(site, first)
    assert first.champion == release.prefix.rpartition("/")[2]
    expected = {"model.safetensors", "config.json", "user_mapping.csv", "item_mapping.csv", "metrics.json"}
    assert expected | {"recommendations.parquet", "similar_items.parquet"} <= set(release.manifest.files)
    for name in release.manifest.files:
        release.path(name)  # reading compares the hash


def test_recommendations_speak_the_users_own_ids(site: Site, first: Night) -> None:
    """Ids are those of the log and of the media files, never row numbers."""
    log = pd.read_csv(site.catalogue / "from-0" / "interactions.csv", dtype=str)
    films = {path.stem for path in (site.catalogue / "from-0" / "image").iterdir()}
    release = release_of(site, first)
    recommendations, similar = release.frame("recommendations.parquet"), release.frame("similar_items.parquet")
    assert len(recommendations)
    assert set(recommendations["user_id"].astype(str)) <= set(log["user_id"])
    assert set(recommendations["item_id"].astype(str)) <= films
    assert set(similar["item_id"].astype(str)) | set(similar["similar_id"].astype(str)) <= films


def test_metrics_of_every_model_are_in_the_history(site: Site, first: Night) -> None:
    """On the test split, at every k; and they are measured, not zeros."""
    table = site.history.table(dataset=site.dataset, model=None, split="test", since=None, runs=50)
    mine = table[(table["run"] == first.run) & (table["metric"] == "ndcg")]
    assert set(mine["model"]) == set(site.models)
    assert set(mine["k"]) == {5, 10, 20, 50}
    assert mine["value"].between(0, 1).all()
    assert mine.groupby("model")["value"].max().gt(0).all()


def test_the_history_links_to_the_run_in_the_ui(site: Site, first: Night) -> None:
    """The address that the launcher gave to `scan`."""
    ((url,),) = site.rows("SELECT url FROM rec.run WHERE run = %s", first.run)
    assert url.startswith(f"{site.stack.url}/dags/retrain_nightly/runs/manual__")


def test_a_shell_that_read_the_env_file_may_be_in_any_folder(site: Site, first: Night, tmp_path: Path) -> None:
    """What the README types by hand needs nothing else from the shell, and not this folder."""
    typed = ". $0 && python -m tasks history"
    shell = ["sh", "-c", typed, site.stack.state.folder / "env"]
    told = subprocess.run(shell, cwd=tmp_path, env={"PATH": os.defpath}, capture_output=True, text=True, check=True)
    assert first.run in told.stdout


@pytest.mark.fault("F15")
def test_the_second_night_finds_nothing_new_and_is_skipped(site: Site, first: Night, second: Night) -> None:
    """A success without work: no box ran, what is served stays."""
    assert second.state == "success"
    assert {task["task_id"] for task in second.tasks if task["state"] != "skipped"} == {"features", "models"}
    assert second.champion == first.champion


def test_after_three_films_arrived_only_those_are_embedded(site: Site, third: Night) -> None:
    """All are in the new release, but only three were not in the cache."""
    assert third.state == "success"
    for modality in MODALITIES:
        counts = read_artefact(site.store, f"runs/{third.run}/extract-{modality}").manifest.counts
        total = site.items + 3
        assert counts == {"found": total, "cached": site.items, "extracted": 3, "rejected": 0, "kept": total, "odd": 0}


def test_reported_media_start_a_run_of_their_dataset(site: Site, third: Night) -> None:
    """The first look reports what lies there; the run it starts sees that it is known, and is skipped."""
    api = site.stack.api()
    api.unpause("ingest_media")
    for _ in range(2):
        site.night("ingest_media")
    runs = site.runs("ingest_media")  # a timed one may be among them, and none ends once the DAG is switched off
    looks = [site.follow(run, "ingest_media").states() for run in runs]
    api.patch("/dags/ingest_media", {"is_paused": True})
    assert looks.count({"discover": "success", "announce": "success"}) == 1
    assert looks.count({"discover": "skipped", "announce": "skipped"}) == len(looks) - 1
    (started,) = site.runs("retrain_nightly", "asset_triggered")
    night = site.follow(started)
    assert (night.state, night.states()["scan"]) == ("success", "skipped")
    assert site.rows("SELECT dataset FROM rec.run WHERE run = %s", started) == [(site.dataset,)]


def test_switching_on_started_no_run_by_itself(site: Site, third: Night) -> None:
    """Nobody asked for a night that is past."""
    assert site.runs("retrain_nightly", "scheduled") == []


def test_no_secret_is_shown_in_the_ui(site: Site, first: Night) -> None:
    """Neither in what is rendered nor in any log of the run."""
    environment = site.stack.environment()
    secrets = [environment["RECSYS_S3_SECRET_KEY"], site.stack.postgres.password("metrics")]
    api = site.stack.api()
    for task in first.tasks:
        shown = json.dumps(task) + "\n".join(api.log("retrain_nightly", first.run, task))
        assert [secret for secret in secrets if secret in shown] == []
