"""A small shop whose embeddings are known beforehand, and encoders so simple that one sees what they should answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tasks.data import Interactions
from tasks.errors import NotFound
from tasks.media.audio import decode_audio
from tasks.media.image import decode_image
from tasks.media.text import decode_text
from tasks.steps.extract import extract
from tasks.steps.scan import scan
from tasks.store import Artefact, History, Store, read_artefact, write_artefact
from tasks.store.pointers import point
from tests.encoders.in_thread import InThread
from tests.encoders.media import saved, sound, tone

DATASET, ENCODER = "shop", "tiny"
MODALITIES = ("image", "audio", "text")
ENDINGS = {"image": "png", "audio": "wav", "text": "txt"}
RATE = 8_000


class TinyEncoder:
    """A real encoder of width 4 that anyone can compute by hand; it remembers how many media it was given."""

    width = 4

    def __init__(self, modality: str, decode: Callable[[bytes], Any], features: Callable[[Any], list[float]]) -> None:
        self.identity = f"{ENCODER}-{modality}@0123456789ab-t1-float32"
        self.decoded = self.encoded = 0
        self._decode = decode
        self._features = features

    def decode(self, data: bytes) -> Any:
        """As the real ones do."""
        self.decoded += 1
        return self._decode(data)

    def encode(self, media: Sequence[Any]) -> np.ndarray:
        """(len(media), 4) float32."""
        self.encoded += len(media)
        return np.array([self._features(medium) for medium in media], dtype=np.float32).reshape(-1, self.width)


def encoders() -> dict[str, TinyEncoder]:
    """Mean colour; length, level and loudness; letters."""
    return {
        "image": TinyEncoder("image", decode_image, lambda pixels: [*(pixels.mean(axis=(0, 1)) / 255.0), 1.0]),
        "audio": TinyEncoder(
            "audio",
            lambda data: decode_audio(data, RATE),
            lambda x: [len(x) / RATE, float(np.abs(x).max()), float((x**2).mean()), 1.0],
        ),
        "text": TinyEncoder("text", decode_text, lambda text: [*(float(text.count(c)) for c in "abc"), len(text)]),
    }


def use(monkeypatch: pytest.MonkeyPatch, found: Mapping[str, TinyEncoder]) -> None:
    """Let the steps find these encoders under the name `tiny`."""

    def load(store: Store, name: str, *, device: str = "cpu") -> Mapping[str, TinyEncoder]:
        assert device == "cpu"
        if name != ENCODER:
            raise NotFound(f"encoder {name!r} is not in {store.url}, expected {ENCODER}")
        return found

    def identify(store: Store, name: str) -> dict[str, str]:
        return {modality: encoder.identity for modality, encoder in load(store, name).items()}

    monkeypatch.setattr("tasks.runs.embeddings.load_encoder", load)
    monkeypatch.setattr("tasks.encoders.pipeline.Workers", InThread)  # they count in this process
    for place in ("tasks.steps.scan", "tasks.runs.embeddings"):
        monkeypatch.setattr(f"{place}.identify", identify)


def number_of(item: str) -> int:
    """What the content of an item's media is made of."""
    return int("".join(c for c in item if c.isdecimal()) or 0)


def medium(modality: str, item: str) -> bytes:
    """The file of an item: a colour, a tone or letters that belong to its number."""
    n = number_of(item)
    if modality == "image":
        return saved(Image.new("RGB", (4, 3), (n % 256, 10, 20)))
    if modality == "audio":
        return sound(tone(0.1, RATE, level=(1 + n % 90) / 100), RATE, subtype="FLOAT")
    return ("a" * (1 + n) + "bc").encode()


def answer(modality: str, item: str) -> list[float]:
    """The first two numbers of the item's vector, by hand."""
    n = number_of(item)
    return {"image": [n % 256 / 255, 10 / 255], "audio": [0.1, (1 + n % 90) / 100], "text": [1.0 + n, 1.0]}[modality]


def key_of(modality: str, item: str) -> str:
    """Where an item's file lies."""
    return f"media/{DATASET}/{modality}/{item}.{ENDINGS[modality]}"


def drop(store: Store, items: Sequence[str], modalities: Sequence[str] = MODALITIES) -> None:
    """Media arrive."""
    for modality in modalities:
        for item in items:
            store.put(key_of(modality, item), medium(modality, item))


def load_log(store: Store, items: Sequence[str], version: str = "one", *, timed: bool = True) -> None:
    """A log in which three users take everything, one item a second."""
    codes = np.tile(np.arange(len(items), dtype=np.int32), 3)
    users = np.repeat(np.arange(3, dtype=np.int32), len(items))
    folder = f"interactions/{DATASET}"
    with write_artefact(store, f"{folder}/{version}") as out:
        times = np.arange(len(codes)) if timed else None
        log = Interactions(users, codes, np.array(["u", "v", "w"]), np.array(items), times)
        log.save(out.file("interactions.parquet"))
    point(store, folder, version)


def load_matrix(store: Store, modality: str, items: Sequence[str], version: str = "one") -> np.ndarray:
    """A ready-made matrix; returns it."""
    folder = f"matrices/{DATASET}/{modality}"
    vectors = np.random.default_rng(len(items)).normal(size=(len(items), 5)).astype(np.float32)
    with write_artefact(store, f"{folder}/{version}") as out:
        out.array("vectors.npy", vectors)
        out.frame("items.csv", pd.DataFrame({"item_id": items}))
    point(store, folder, version)
    return vectors


def look(run: str, **options: Any) -> dict[str, object]:
    """Scan the shop."""
    given = {"dataset": DATASET, "encoder": ENCODER, "models": "popularity"} | options
    return scan(run=run, **given)


def night(run: str, modalities: Sequence[str] = MODALITIES, **options: Any) -> dict[str, dict[str, object]]:
    """Scan, then extract each modality; the closing lines of the latter."""
    look(run, modalities=",".join(modalities), **options)
    return {modality: extract(run=run, feature=modality) for modality in modalities}


def decide(store: Store, history: History, run: str, *, promoted: bool = True) -> None:
    """The run comes to its end."""
    plan = read_artefact(store, f"runs/{run}/scan").json("plan.json")
    if promoted:
        seen = history.champion(DATASET)
        assert history.promote(DATASET, run, "popularity", f"release of {run}", {}, plan["inputs_hash"], seen=seen)
    else:
        history.reject(DATASET, run, "popularity", {}, plan["inputs_hash"])


def extracted(store: Store, run: str, modality: str) -> Artefact:
    """What `extract` wrote."""
    return read_artefact(store, f"runs/{run}/extract-{modality}")


def item_ids(artefact: Artefact, name: str = "items.csv") -> list[str]:
    """The ids of a table, as text."""
    return list(artefact.frame(name, dtype=str, keep_default_na=False)["item_id"])


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was said as a warning."""
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
