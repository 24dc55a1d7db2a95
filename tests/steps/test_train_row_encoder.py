"""`train-encoder` on a loaded table, and runs whose features are made by such an encoder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tasks.__main__ import main
from tasks.encoders import load_encoder
from tasks.errors import BadInput, NotFound
from tasks.runs.plan import read_plan
from tasks.runs.prepared import load_dataset
from tasks.steps.align import align
from tasks.steps.check_dataset import check_dataset
from tasks.steps.check_embeddings import check_embeddings
from tasks.steps.encode import encode
from tasks.steps.extract import extract
from tasks.steps.prepare import prepare
from tasks.steps.scan import scan
from tasks.steps.train_encoder import train_encoder
from tasks.store import Store, read_artefact
from tasks.store.pointers import current
from tests.steps.songs import COLUMNS, DATASET, load_log, load_songs

VAE = ["--architecture", "vae", "--feature", "spotify", "--name", "songs-vae", "--epochs", "3", "--hidden", "16"]
FEATURES = {
    "spotify": {"modality": "numbers"},
    "mood": {"modality": "numbers", "encoder": "songs-vae", "table": "spotify"},
    "main": {"modality": "numbers", "encoder": "songs-pca", "table": "spotify"},
}


@pytest.fixture
def songs(folder_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store with the table and the log."""
    monkeypatch.setenv("RECSYS_METRICS_DSN", "none")
    load_songs(tmp_path)
    load_log(folder_store)
    return folder_store


def look(run: str, features: dict[str, dict[str, str]]) -> None:
    """Plan a run of these features."""
    scan(run=run, dataset=DATASET, features=json.dumps(features), models="popularity", k=2)


def test_weights_say_what_they_were_trained_on(songs: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """The table by content, and every option, those by default too; the closing line says what was reached."""
    assert main(["train-encoder", "--dataset", DATASET, *VAE, "--width", "8", "--output", "mean+sigma"]) == 0
    closing = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (closing["width"], closing["items"]) == (16, 120)
    manifest = read_artefact(songs, closing["weights"]).manifest
    table = read_artefact(songs, str(current(songs, f"matrices/{DATASET}/spotify")))
    assert manifest.inputs == {table.prefix: table.manifest.content}
    known = {"architecture": "vae", "feature": "spotify", "width": 8, "hidden": [16], "kl_weight": 1.0, "epochs": 3}
    known |= {"output": "mean+sigma", "batch": 64, "learning_rate": 1e-3, "seed": 7, "threads": 1}
    assert known.items() <= manifest.parameters.items()
    assert not list(songs.list("training/"))


def test_a_run_encodes_the_rows_of_a_table(songs: Store) -> None:
    """Beside the table itself; every check holds, known rows come from the cache, and vectors are the encoder's."""
    train_encoder(dataset=DATASET, architecture="pca", feature="spotify", name="songs-pca", width=3)
    train_encoder(
        dataset=DATASET, architecture="vae", feature="spotify", name="songs-vae", width=8, hidden="16", epochs=20
    )
    look("one", FEATURES)
    plan = read_plan(songs, "one")
    assert len(set(plan.matrices.values())) == 1
    assert set(plan.encoders) == {"mood", "main"}
    assert encode(run="one", feature="mood")["encoded"] == 0
    counts = {name: extract(run="one", feature=name) for name in FEATURES}
    assert {name: (line["width"], line["extracted"]) for name, line in counts.items()} == {
        "spotify": (len(COLUMNS), 0),
        "mood": (8, 120),
        "main": (3, 120),
    }
    assert extract(run="one", feature="mood")["cached"] == 120
    for step in (align, check_embeddings, prepare, check_dataset):
        step(run="one")
    assert read_artefact(songs, "runs/one/check-embeddings").json("report.json")["success"]
    data = load_dataset(songs, "one")
    encoder = load_encoder(songs, "songs-pca")["numbers"]
    np.testing.assert_allclose(data.features["main"], encoder.encode(list(data.features["spotify"])), atol=1e-5)


def test_a_feature_may_be_encoded_under_the_name_of_its_table(songs: Store) -> None:
    """Without `table`, the table is that of the feature's own name."""
    train_encoder(dataset=DATASET, architecture="pca", feature="spotify", name="songs-pca", width=2)
    look("one", {"spotify": {"modality": "numbers", "encoder": "songs-pca"}})
    assert extract(run="one", feature="spotify")["width"] == 2


@pytest.mark.parametrize("options", [{"scale": "raw"}, {"columns": "loudness,tempo,energy,key"}, {"columns": "tempo"}])
def test_an_encoder_of_another_table_is_refused(songs: Store, tmp_path: Path, options: dict[str, str]) -> None:
    """Another scale, another order, other columns: the width alone would not tell."""
    train_encoder(dataset=DATASET, architecture="pca", feature="spotify", name="songs-pca", width=2)
    load_songs(tmp_path, **options)
    with pytest.raises(BadInput, match=r"'songs-pca' was trained on 4 columns \(tempo, .*; standard\), and the"):
        look("one", {"main": FEATURES["main"]})


@pytest.mark.usefixtures("songs")
@pytest.mark.parametrize(
    ("features", "sentence"),
    [
        ({"a": {"modality": "numbers", "encoder": "audioclip-demo", "table": "spotify"}}, "knows image, audio, text"),
        ({"a": {"modality": "numbers", "encoder": "songs-pca.bfloat16", "table": "spotify"}}, "expected no .bfloat16"),
    ],
)
def test_an_encoder_that_takes_no_rows_is_refused(features: dict[str, dict[str, str]], sentence: str) -> None:
    """One of media, and a variant that rows do not have."""
    train_encoder(dataset=DATASET, architecture="pca", feature="spotify", name="songs-pca", width=2)
    with pytest.raises(BadInput, match=sentence):
        look("one", features)


@pytest.mark.usefixtures("songs")
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"architecture": "clip"}, "architecture 'clip' of an encoder found, expected one of audioclip, "),
        ({"kl_weight": 1.0}, "--kl-weight found for pca, expected some of --width"),
        ({"architecture": "autoencoder", "output": "mean"}, "--output found for autoencoder, expected some of --width"),
        ({"architecture": "vae", "hidden": "10,x"}, "--hidden '10,x' found, expected widths from 1 to 65536"),
        ({"feature": None}, "no --feature found for an encoder of rows"),
        ({"modalities": "image,text"}, "expected --feature NAME of a table"),
        ({"start_from": "audioclip-demo"}, "encoder 'audioclip-demo' is of audioclip, expected one of pca"),
        ({"half": True}, "--start-from or --half found, expected neither"),
        ({"architecture": "audioclip"}, "--feature spotify found for an encoder of media"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, object], sentence: str) -> None:
    """In one sentence, before anything is trained."""
    given: dict[str, object] = {"dataset": DATASET, "architecture": "pca", "feature": "spotify", "name": "x"}
    with pytest.raises(BadInput, match=sentence):
        train_encoder(**given | options)  # type: ignore[arg-type]  # a test's own options


@pytest.mark.usefixtures("songs")
def test_a_table_that_is_not_there_is_named() -> None:
    """With what loads it."""
    with pytest.raises(NotFound, match=r"feature 'nope' of dataset 'songs' has no loaded table"):
        train_encoder(dataset=DATASET, architecture="pca", feature="nope", name="x")
