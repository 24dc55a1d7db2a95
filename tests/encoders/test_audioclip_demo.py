"""The encoder that comes with the project."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.catalogue import draw_poster, encode_poster, encode_sound, film, synthesise, write_synopsis
from tasks.encoders import load_encoder
from tasks.encoders.audioclip import SHIPPED
from tasks.encoders.audioclip.config import DEMO
from tasks.encoders.audioclip.weights import load_model
from tasks.store import FolderStore

FILMS, SEED = 24, 77  # films of a world that it was not trained on


def test_it_is_small_and_what_its_configuration_says() -> None:
    """At most 3 MB in the repository; `train-encoder` makes the same architecture today."""
    folder = SHIPPED["audioclip-demo"]
    assert (folder / "model.safetensors").stat().st_size <= 3_000_000
    assert load_model(folder).config == DEMO


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """Modality -> unit vectors (FILMS, 1024) of films that it has never met."""
    films = [film(SEED, number) for number in range(FILMS)]
    media = {
        "image": [encode_poster(draw_poster(one)) for one in films],
        "audio": [encode_sound(synthesise(one)) for one in films],
        "text": [write_synopsis(one).encode() for one in films],
    }
    encoders = load_encoder(FolderStore(tmp_path_factory.mktemp("store")), "audioclip-demo")
    found = {name: encoders[name].encode([encoders[name].decode(one) for one in media[name]]) for name in media}
    return {name: rows / np.linalg.norm(rows, axis=1, keepdims=True) for name, rows in found.items()}


@pytest.mark.slow
@pytest.mark.parametrize(("one", "other"), [("audio", "image"), ("audio", "text"), ("image", "text")])
def test_what_belongs_together_is_near(vectors: dict[str, np.ndarray], one: str, other: str) -> None:
    """Picture, sound and text of a film are among the nearest five of each other for most films (chance: a fifth)."""
    similar = vectors[one] @ vectors[other].T  # (FILMS, FILMS)
    nearer = (similar > np.diag(similar)[:, None]).sum(axis=1)
    assert (nearer < 5).mean() > 0.7
