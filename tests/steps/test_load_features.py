"""`load-features`, and runs whose features are loaded tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tasks.errors import BadInput, NotFound
from tasks.runs.plan import read_plan
from tasks.runs.prepared import load_dataset
from tasks.steps.align import align
from tasks.steps.check_dataset import check_dataset
from tasks.steps.check_embeddings import check_embeddings
from tasks.steps.extract import extract
from tasks.steps.prepare import prepare
from tasks.steps.scan import scan
from tasks.store import Store, read_artefact
from tasks.store.matrices import columns_of
from tasks.store.pointers import current
from tests.steps.songs import COLUMNS, DATASET, IDS, load_log, load_songs, numbers


def look(run: str, features: dict[str, dict[str, str]]) -> dict[str, object]:
    """Plan a run of these features."""
    return scan(run=run, dataset=DATASET, features=json.dumps(features), models="popularity", k=2)


def test_a_table_is_kept_scaled_with_the_names_of_its_columns(folder_store: Store, tmp_path: Path) -> None:
    """As a matrix of the feature like any other; offset and divisor lead back to the numbers."""
    closing = load_songs(tmp_path)
    assert (closing["items"], closing["columns"], closing["filled"]) == (len(IDS), list(COLUMNS), 0)
    matrix = read_artefact(folder_store, str(current(folder_store, f"matrices/{DATASET}/spotify")))
    assert matrix.prefix == closing["matrix"]
    vectors, known = matrix.array("vectors.npy"), columns_of(matrix)
    assert known is not None
    assert (known["columns"], known["scale"], known["missing"]) == (list(COLUMNS), "standard", "refuse")
    np.testing.assert_allclose(vectors.std(axis=0), 1, rtol=1e-5)
    np.testing.assert_allclose(vectors * known["divisor"] + known["offset"], numbers(), atol=1e-3)
    assert matrix.text_frame("items.csv")["item_id"].tolist() == IDS


def test_the_version_is_the_content(folder_store: Store, tmp_path: Path) -> None:
    """The same again changes nothing; another scale, or other columns, are another version."""
    first = load_songs(tmp_path)
    assert load_songs(tmp_path) == {**first, "changed": False}
    others = [load_songs(tmp_path, scale="minmax"), load_songs(tmp_path, columns="tempo,energy")]
    assert len({str(one["matrix"]) for one in (first, *others)}) == 3
    assert current(folder_store, f"matrices/{DATASET}/spotify") == others[-1]["matrix"]


@pytest.mark.usefixtures("folder_store")
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"scale": "log"}, "--scale log with --missing refuse found, expected standard, minmax, raw with refuse, mean"),
        ({"missing": "zero"}, "--scale standard with --missing zero found"),
        ({"feature": "Spotify"}, "feature name 'Spotify' found"),
        ({"feature": "text"}, "feature 'text' of modality numbers found, expected another name"),
        ({"columns": "tempo,mood"}, "expected 'mood' among them"),
        ({"dataset": "a/b"}, "dataset 'a/b' found"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path: Path, options: dict[str, object], sentence: str) -> None:
    """In one sentence, and nothing is stored."""
    with pytest.raises(BadInput, match=sentence):
        load_songs(tmp_path, **options)


def test_a_run_needs_no_media(folder_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table is a feature of a run: every check holds, and the dataset has the loaded numbers."""
    monkeypatch.setenv("RECSYS_METRICS_DSN", "none")
    load_songs(tmp_path)
    load_log(folder_store)
    assert look("one", {"spotify": {"modality": "numbers"}})["spotify_found"] == len(IDS)
    plan = read_plan(folder_store, "one")
    assert (set(plan.matrices), plan.encoders) == ({"spotify"}, {})
    assert plan.config.describe_features() == {"spotify": {"modality": "numbers"}}
    assert extract(run="one", feature="spotify")["width"] == len(COLUMNS)
    for step in (align, check_embeddings, prepare, check_dataset):
        step(run="one")
    report = read_artefact(folder_store, "runs/one/check-embeddings").json("report.json")
    assert report["success"]
    vectors = dict(zip(IDS, read_artefact(folder_store, plan.matrices["spotify"]).array("vectors.npy"), strict=True))
    data = load_dataset(folder_store, "one")
    np.testing.assert_array_equal(data.features["spotify"], [vectors[str(item)] for item in data.item_ids])


def test_a_table_that_is_not_there_is_named(
    folder_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the command that loads it."""
    monkeypatch.setenv("RECSYS_METRICS_DSN", "none")
    load_songs(tmp_path)
    load_log(folder_store)
    for choice in ({"modality": "numbers"}, {"modality": "numbers", "encoder": "pca", "table": "mood"}):
        with pytest.raises(NotFound, match=r"feature 'mood' of dataset 'songs' has no loaded table, .*`load-features`"):
            look("one", {"mood": choice})


@pytest.mark.usefixtures("folder_store")
@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        ({"modality": "text"}, "feature 'x' of text without an encoder found, expected one"),
        ({"modality": "text", "encoder": "e", "table": "spotify"}, "feature 'x' of text has the table 'spotify', expe"),
        ({"modality": "numbers", "table": "spotify"}, "feature 'x' of numbers has the table 'spotify' and no encoder"),
    ],
)
def test_a_feature_is_of_media_or_of_a_table(choice: dict[str, str], sentence: str) -> None:
    """Media need an encoder; a table under another name is there to be encoded."""
    with pytest.raises(BadInput, match=sentence):
        look("one", {"x": choice})
