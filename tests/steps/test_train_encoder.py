"""The command `train-encoder`, on a few generated films."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tasks.encoders import load_encoder
from tasks.encoders.audioclip.config import DEMO
from tasks.encoders.audioclip.narrow import MEMORY, MOST_WINDOWS, PICTURE, windows_each
from tasks.errors import BadInput, NotFound
from tasks.steps.demo_catalogue import demo_catalogue
from tasks.steps.load_media import load_media
from tasks.steps.train_encoder import train_encoder
from tasks.store import Store, read_artefact

pytestmark = pytest.mark.slow

FILMS = 60


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Media of a small catalogue."""
    folder = tmp_path_factory.mktemp("films")
    demo_catalogue(out=folder, items=FILMS, users=0, seed=11)
    return folder


@pytest.fixture
def loaded(films: Path, folder_store: Store) -> Store:
    """A store that has the films as the dataset `films`."""
    load_media(folder=films, dataset="films")
    return folder_store


def test_a_trained_encoder_is_found_by_its_name(loaded: Store) -> None:
    """Its weights lie in the store with what it reached on held-out items, and it encodes."""
    found = train_encoder(dataset="films", name="ours", epochs=1, batch=16, threads=1)
    encoders = load_encoder(loaded, "ours")
    assert set(encoders) == {"image", "audio", "text"}
    data = loaded.get("media/films/text/film-0003.txt")
    row = encoders["text"].encode([encoders["text"].decode(data)])
    assert row.shape == (1, DEMO.embed_dim)
    config = json.loads(loaded.get(f"{found['weights']}/config.json"))
    assert config["items"] == found["items"] == FILMS
    assert config["held_out"]["it_recall@5"] == found["it_recall@5"]
    assert config["options"]["seed"] == 7


def test_trained_weights_say_what_they_were_made_from(loaded: Store) -> None:
    """The media by content, the weights it went on from, and every option; other media are another input."""
    options = {"dataset": "films", "modalities": "image,text", "epochs": 1, "batch": 16, "threads": 1}
    first = str(train_encoder(**options, name="first")["weights"])
    second = str(train_encoder(**options, name="second", start_from="first", learning_rate=1e-6)["weights"])
    manifests = [read_artefact(loaded, prefix).manifest for prefix in (first, second)]
    assert set(manifests[0].inputs) == {"media/films/"}
    assert manifests[1].inputs == manifests[0].inputs | {first: manifests[0].content}
    known = {"architecture": "audioclip", "dataset": "films", "modalities": ["image", "text"], "epochs": 1, "batch": 16}
    known |= {
        "learning_rate": 1e-6,
        "weight_decay": 1e-2,
        "seed": 7,
        "threads": 1,
        "half": False,
        "start_from": "first",
    }
    assert manifests[1].parameters == known
    loaded.put("media/films/text/film-0001.txt", b"Another story of a film.")
    third = str(train_encoder(**options, name="third")["weights"])
    assert read_artefact(loaded, third).manifest.inputs != manifests[0].inputs


def test_the_same_seed_gives_the_same_file(loaded: Store, tmp_path: Path) -> None:
    """To the byte, so anybody can make the weights again; another seed gives others."""
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        train_encoder(
            dataset="films",
            out=tmp_path / name,
            modalities="image,text",
            epochs=1,
            batch=16,
            seed=seed,
            threads=1,
            half=True,
        )
    first, second, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in "abc")
    assert first == second
    assert first != other


def test_training_can_go_on_from_an_encoder(loaded: Store, tmp_path: Path) -> None:
    """Small steps leave what the shipped weights can do: pictures find their texts, and from nothing do not."""
    options = {"dataset": "films", "modalities": "image,text", "epochs": 1, "batch": 16, "threads": 1}
    options |= {"learning_rate": 1e-6}
    fresh = train_encoder(**options, out=tmp_path / "fresh")
    further = train_encoder(**options, out=tmp_path / "further", start_from="audioclip-demo")
    assert float(str(further["it_recall@1"])) >= 0.5 > float(str(fresh["it_recall@1"]))
    with pytest.raises(NotFound, match="audioclip-demo"):
        train_encoder(**options, out=tmp_path / "x", start_from="clip")


def test_bad_and_incomplete_items_are_left_out(loaded: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An undecodable poster and a film without synopsis are not trained on; the first is said."""
    loaded.put("media/films/image/film-0001.jpg", b"not a poster")
    loaded.delete("media/films/text/film-0002.txt")
    with caplog.at_level("INFO"):
        found = train_encoder(
            dataset="films", out=tmp_path, modalities="image,text", epochs=1, batch=16, threads=1, most=59
        )
    assert found["items"] == FILMS - 2
    assert "film-0001.jpg" in caplog.text
    assert "59 items have image, text" in caplog.text


def test_fewer_items_are_drawn_by_the_seed(loaded: Store, tmp_path: Path) -> None:
    """--most bounds what is read."""
    found = train_encoder(
        dataset="films", out=tmp_path, modalities="image,text", epochs=1, batch=16, threads=1, most=52
    )
    assert found["items"] == 52


def test_memory_for_sounds_is_bounded() -> None:
    """Many sounds have fewer windows each, and too many are refused with what to do."""
    assert windows_each(60) == MOST_WINDOWS
    many = MEMORY // PICTURE
    assert windows_each(many // 2) == 2
    assert windows_each(many) == 1
    with pytest.raises(BadInput, match="--most"):
        windows_each(many + 1)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"modalities": "image"}, "two or three"),
        ({"modalities": "image,image"}, "two or three"),
        ({"modalities": "image,smell"}, "two or three"),
        ({"name": None}, "expected --name .* or --out"),
        ({"out": Path("x")}, "expected --name .* or --out"),
        ({"name": "audioclip-demo"}, "encoder name"),
        ({"dataset": "../x"}, "dataset"),
        ({"dataset": "empty"}, "has no image"),
        ({"batch": 500}, "items found, expected at least"),
    ],
)
def test_options_that_cannot_be_met_are_refused(loaded: Store, options: dict[str, object], sentence: str) -> None:
    """What was found and what is expected is said, and no encoder is made."""
    given = {"dataset": "films", "name": "ours", "modalities": "image,text", "epochs": 1, "threads": 1} | options
    with pytest.raises(BadInput, match=sentence):
        train_encoder(**given)  # type: ignore[arg-type]
    assert not list(loaded.list("weights/"))


def test_vectors_of_the_trained_encoder_are_finite(loaded: Store, tmp_path: Path) -> None:
    """Stored in half the bytes it still encodes."""
    train_encoder(dataset="films", name="small", modalities="audio,text", epochs=1, batch=16, threads=1, half=True)
    encoder = load_encoder(loaded, "small")["audio"]
    row = encoder.encode([encoder.decode(loaded.get("media/films/audio/film-0004.ogg"))])
    assert np.isfinite(row).all()
