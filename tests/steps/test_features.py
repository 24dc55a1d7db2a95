"""One run with an encoder for each feature, from `scan` to `publish`, typed as a person would type it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import psycopg2
import pytest
import torch

from tasks.__main__ import main
from tasks.data import Interactions
from tasks.encoders import load_encoder
from tasks.encoders.audioclip import SHIPPED
from tasks.encoders.audioclip.weights import load_model, save_model
from tasks.encoders.weights import put_weights
from tasks.runs.prepared import load_dataset, prepared_artefact
from tasks.store import History, Store, read_artefact, write_artefact
from tasks.store.pointers import point
from tests.encoders.audioclip_world import picture, sound, text

pytestmark = pytest.mark.services
DATASET, USERS = "films", 30
ITEMS = [f"tt{number:03d}" for number in range(1, 21)]
ENDINGS = {"image": "png", "audio": "wav", "text": "txt"}
FEATURES = {
    "poster": {"modality": "image", "encoder": "a"},
    "plot": {"modality": "text", "encoder": "b"},
    "sound_a": {"modality": "audio", "encoder": "a"},
    "sound_b": {"modality": "audio", "encoder": "b"},
}
CHECKED = ("align", "check-embeddings", "prepare", "check-dataset")


def key_of(modality: str, item: str) -> str:
    """Where an item's file lies."""
    return f"media/{DATASET}/{modality}/{item}.{ENDINGS[modality]}"


def put(store: Store, folder: Path, name: str, noise: float) -> None:
    """The shipped AudioCLIP weights with some noise, under a name: random ones would give nearly one vector for all."""
    model = load_model(SHIPPED["audioclip-demo"])
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(1 + noise * torch.randn_like(weight))
    save_model(model, folder, half=False, facts={})
    put_weights(store, name, folder, "audioclip")


@pytest.fixture
def films(folder_store: Store, history: History, tmp_path: Path) -> Store:
    """Twenty films with all media, a log about them, and two encoders."""
    put(folder_store, tmp_path, "a", 0.0)
    put(folder_store, tmp_path, "b", 0.05)
    for number, item in enumerate(ITEMS):
        for modality, data in {"image": picture(number), "audio": sound(number, 1.0), "text": text(number)}.items():
            folder_store.put(key_of(modality, item), data)
    users = np.repeat(np.arange(USERS, dtype=np.int32), 10)
    items = (users + np.tile(np.arange(0, 20, 2, dtype=np.int32), USERS)) % len(ITEMS)
    log = Interactions(users, items.astype(np.int32), np.array([f"u{n}" for n in range(USERS)]), np.array(ITEMS))
    with write_artefact(folder_store, f"interactions/{DATASET}/one") as out:
        log.save(out.file("interactions.parquet"))
    point(folder_store, f"interactions/{DATASET}", "one")
    return folder_store


def do(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    """Run a command; its closing line."""
    capsys.readouterr()
    code = main(list(words))
    shown = capsys.readouterr()
    assert code == 0, shown.err
    found: dict[str, object] = json.loads(shown.out.splitlines()[-1])
    return found


def scan(capsys: pytest.CaptureFixture[str], run: str, features: dict[str, dict[str, str]]) -> dict[str, object]:
    """Plan a run of these features."""
    words = ["scan", "--run", run, "--dataset", DATASET, "--features", json.dumps(features), "--encoder", ""]
    return do(capsys, *words, "--models", "vbpr,popularity", "--k", "3")


def vectors_of(store: Store, name: str, items: list[str]) -> np.ndarray:
    """(items, width): what the feature's own encoder makes of the media of its modality."""
    choice = FEATURES[name]
    encoder = load_encoder(store, choice["encoder"])[choice["modality"]]
    media = [encoder.decode(store.get(key_of(choice["modality"], item))) for item in items]
    return np.concatenate([encoder.encode([medium]) for medium in media])


@pytest.mark.slow
def test_a_run_embeds_each_feature_by_its_own_encoder(
    films: Store, metrics_dsn: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pictures by one, text by another and sound by both; the release and the history name the features."""
    films.put(key_of("audio", ITEMS[4]), b"no sound")
    counts = scan(capsys, "one", FEATURES)
    assert {f"{name}_found": 20 for name in FEATURES}.items() <= counts.items()
    monkeypatch.setenv("RECSYS_THREADS", "1")
    for name in FEATURES:
        do(capsys, "encode", "--run", "one", "--feature", name, "--shard", "1/2")
        done = do(capsys, "extract", "--run", "one", "--feature", name)
        assert (done["feature"], done["modality"]) == (name, FEATURES[name]["modality"])
    for step in CHECKED:
        do(capsys, step, "--run", "one")
    for model in ("vbpr", "popularity"):
        do(capsys, "train", "--run", "one", "--model", model)
        do(capsys, "evaluate", "--run", "one", "--model", model)
    do(capsys, "refit", "--run", "one")
    published = do(capsys, "publish", "--run", "one")

    aligned = read_artefact(films, "runs/one/align")
    kept = [item for item in ITEMS if item != ITEMS[4]]
    assert list(aligned.text_frame("item_features.csv")["item_id"]) == ITEMS
    data = load_dataset(films, "one")
    assert set(data.features) == set(FEATURES)
    for name in FEATURES:
        has = kept if FEATURES[name]["modality"] == "audio" else ITEMS
        expected = vectors_of(films, name, has)
        np.testing.assert_allclose(aligned.array(f"{name}.npy"), expected, rtol=1e-4, atol=1e-6)
        rows = np.flatnonzero(np.isin(data.item_ids, has))
        places = [has.index(item) for item in data.item_ids[rows]]
        np.testing.assert_array_equal(data.features[name][rows], aligned.array(f"{name}.npy")[places])
    filled = prepared_artefact(films, "one").text_frame("filled.csv")
    assert set(zip(filled["item_id"], filled["feature"], strict=True)) == {(ITEMS[4], "sound_a"), (ITEMS[4], "sound_b")}
    assert np.abs(aligned.array("sound_a.npy") - aligned.array("sound_b.npy")).max() > 1e-3
    assert {info.key.split("/")[2] for info in films.list("quarantine/one/")} == {"sound_a", "sound_b"}

    release = read_artefact(films, f"releases/{DATASET}/{published['release']}").manifest
    assert {name: one.partition("@")[0] for name, one in release.parameters["encoders"].items()} == {  # type: ignore[attr-defined]
        name: choice["encoder"] for name, choice in FEATURES.items()
    }
    assert release.encoder == "a,b"
    with psycopg2.connect(metrics_dsn) as database, database.cursor() as sql:
        sql.execute("SELECT DISTINCT encoder, features FROM rec.metric_change")
        assert sql.fetchall() == [("a,b", FEATURES)]


def test_what_one_feature_has_encoded_is_there_for_another_name_of_it(
    films: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """The cache is by encoder and content: another name, or the short form, encodes nothing anew."""
    scan(capsys, "one", {"sound": {"modality": "audio", "encoder": "a"}})
    assert do(capsys, "extract", "--run", "one", "--feature", "sound")["extracted"] == 20
    scan(capsys, "two", {"noise": {"modality": "audio", "encoder": "a"}, "text": {"modality": "text", "encoder": "b"}})
    assert do(capsys, "extract", "--run", "two", "--feature", "noise")["extracted"] == 0
    words = ["scan", "--run", "three", "--dataset", DATASET, "--modalities", "audio", "--encoder", "a"]
    do(capsys, *words, "--models", "popularity")
    assert do(capsys, "extract", "--run", "three", "--modality", "audio")["extracted"] == 0


@pytest.mark.parametrize(
    ("features", "sentence"),
    [
        ('{"sound": {"modality": "audio", "encoder": "c"}}', "encoder 'c' is not in .*, expected one of a, audioclip-"),
        (
            '{"sound": {"modality": "smell", "encoder": "a"}}',
            "features.sound.modality: .*'text' or 'numbers'",
        ),
        ('{"x": {"modality": "text", "encoder": "a"}, "x": {}}', "--features: x found twice in one place, expected"),
        ('["image"]', "--features holds list, expected keys and values"),
        ("{", "--features is not YAML"),
    ],
)
def test_features_that_cannot_be_are_refused(
    films: Store, capsys: pytest.CaptureFixture[str], features: str, sentence: str
) -> None:
    """One sentence, exit code 2, and no plan."""
    words = ["scan", "--run", "one", "--dataset", DATASET, "--features", features, "--models", "popularity"]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert re.search(sentence, said), said
    assert not list(films.list("runs/"))


def test_both_forms_at_once_are_refused(films: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody guesses which was meant."""
    words = ["scan", "--run", "one", "--dataset", DATASET, "--features", json.dumps(FEATURES), "--modalities", "text"]
    assert main(words) == 2
    assert "features and modalities found, expected one form alone: remove the other" in capsys.readouterr().err
