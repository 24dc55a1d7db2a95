"""Encoders of album art: pictures of known greys to vectors, and back to a picture for people."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tasks.encoders import load_encoder
from tasks.encoders.art.network import PictureNetwork
from tasks.encoders.base import ModalityEncoder
from tasks.errors import BadInput
from tasks.media import BadMedia
from tasks.steps.train_encoder import train_encoder
from tasks.store import Store, open_store, read_artefact
from tests.encoders.media import saved

CHANNELS, ART = "4,4,8,8,8,8,16", 120
QUICK = {"dataset": "songs", "hidden": CHANNELS, "width": 8, "threads": 1}


def cover(number: int) -> bytes:
    """A picture that is not square: two greys, one above the other."""
    rng = np.random.default_rng(number)
    pixels = np.repeat(rng.integers(0, 256, size=(2, 1, 1)), 80, axis=0).repeat(3, axis=2).astype(np.uint8)
    return saved(Image.fromarray(np.repeat(pixels, 150, axis=1)))


@pytest.fixture(scope="module")
def store_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with covers of 120 songs, one of which is none, and a VAE and an autoencoder of them."""
    patch = pytest.MonkeyPatch()
    url = f"file://{tmp_path_factory.mktemp('art') / 'store'}"
    patch.setenv("RECSYS_STORE", url)
    for number in range(ART):
        open_store().put(f"media/songs/image/s{number}.png", cover(number))
    open_store().put("media/songs/image/broken.png", b"no picture")
    options = {"epochs": 15, "learning_rate": 1e-2, "batch": 8}
    train_encoder(**QUICK, **options, architecture="picture-vae", name="art", output="mean+sigma")  # type: ignore[arg-type]
    train_encoder(**QUICK, **options, architecture="picture-autoencoder", name="plain")  # type: ignore[arg-type]
    patch.undo()
    return url


@pytest.fixture(params=["art", "plain"])
def name(request: pytest.FixtureRequest) -> str:
    """Each of both."""
    found: str = request.param
    return found


@pytest.fixture
def encoder(store_url: str, name: str) -> ModalityEncoder:
    """The encoder of that name."""
    return load_encoder(open_store(store_url), name)["image"]


def test_the_pictures_are_shown_above_what_becomes_of_them(store_url: str, name: str) -> None:
    """Beside the weights lies a picture of held-out ones; what cannot be decoded was left out."""
    store = open_store(store_url)
    weights = read_artefact(store, f"weights/{name}/{json.loads(store.get(f'weights/{name}/current.json'))['version']}")
    config = weights.json("config.json")
    assert (config["items"], config["latent"], config["hidden"]) == (ART, 8, [4, 4, 8, 8, 8, 8, 16])
    with Image.open(weights.path("reconstructions.png")) as grid:
        assert grid.size == (8 * 128, 2 * 128)
        shown = np.asarray(grid, dtype=np.float32)
    held = [original.mean() for original in np.split(shown[:128], 8, axis=1)]
    again = [made.mean() for made in np.split(shown[128:], 8, axis=1)]
    assert np.corrcoef(held, again)[0, 1] > 0.5  # bright covers stay bright
    assert config["held_out"]["explained"] > 0.3


def test_vectors_are_finite_and_of_their_own_picture(encoder: ModalityEncoder, name: str) -> None:
    """Alone and among others, of the stated width; different pictures have different ones."""
    media = [encoder.decode(cover(number)) for number in range(5)]
    found = encoder.encode(media)
    assert (encoder.width, found.shape, found.dtype) == ({"art": 16, "plain": 8}[name], (5, encoder.width), np.float32)
    assert np.isfinite(found).all()
    assert len(np.unique(found, axis=0)) == 5
    np.testing.assert_allclose(found, np.concatenate([encoder.encode([one]) for one in media]), atol=1e-5)
    assert encoder.encode([]).shape == (0, encoder.width)
    with pytest.raises(BadMedia, match=r"\w"):
        encoder.decode(b"no picture")


def test_seven_convolutions_halve_the_picture_to_one_pixel() -> None:
    """And seven double it again."""
    import torch

    network = PictureNetwork([2] * 7, 3, variational=True)
    sizes = []
    pictures = torch.rand(1, 3, 128, 128)
    for layer in network.encoder[::3]:
        pictures = layer(pictures)
        sizes.append(pictures.shape[-1])
    assert sizes == [64, 32, 16, 8, 4, 2, 1]
    again = network.decode(network.encode(torch.rand(2, 3, 128, 128))[0])
    assert again.shape == (2, 3, 128, 128)
    assert 0 <= again.min() <= again.max() <= 1


def test_the_same_seed_gives_the_same_weights(store_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """To the byte; another seed gives others."""
    monkeypatch.setenv("RECSYS_STORE", store_url)
    for folder, seed in (("a", 3), ("b", 3), ("c", 4)):
        train_encoder(**QUICK, architecture="picture-vae", out=tmp_path / folder, epochs=1, seed=seed)  # type: ignore[arg-type]
    first, second, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in "abc")
    assert first == second
    assert first != other
    assert (tmp_path / "a" / "reconstructions.png").is_file()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"hidden": "4,4"}, "--hidden of 2 layers found, expected the channels of 7"),
        ({"modalities": "image,text"}, "modalities 'image,text' found, expected image, or no --modalities"),
        ({"output": "both"}, r"--output 'both' found, expected mean or mean\+sigma"),
        ({"half": True}, "--start-from or --half found for picture-vae"),
        ({"weight_decay": 0.1}, "--weight-decay found for picture-vae"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    store_url: str, monkeypatch: pytest.MonkeyPatch, options: dict[str, object], sentence: str
) -> None:
    """In one sentence, before anything is trained."""
    monkeypatch.setenv("RECSYS_STORE", store_url)
    with pytest.raises(BadInput, match=sentence):
        train_encoder(**{**QUICK, "architecture": "picture-vae", "name": "x"} | options)  # type: ignore[arg-type]


def test_without_pictures_there_is_nothing_to_train_on(folder_store: Store) -> None:
    """The dataset is named."""
    folder_store.put("media/songs/text/a.txt", b"words")
    with pytest.raises(BadInput, match="dataset 'songs' has no image"):
        train_encoder(dataset="songs", architecture="picture-vae", name="x")
