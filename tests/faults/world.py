"""A generated night whose artefacts can be spoiled, with a manifest that follows as if the step had made the mistake.

Two features are encoded from texts, by two encoders, and one is a ready-made matrix. Texts hold the numbers of a point
near the centre of a genre, and users take mostly items of one genre: content agrees with behaviour.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.data import Interactions
from tasks.errors import TaskError, ValidationFailed
from tasks.media.text import decode_text
from tasks.steps.align import align
from tasks.steps.check_dataset import check_dataset
from tasks.steps.check_embeddings import check_embeddings
from tasks.steps.extract import extract
from tasks.steps.prepare import prepare
from tasks.steps.scan import scan
from tasks.store import Store, open_store, read_artefact, write_artefact
from tasks.store.pointers import point
from tests.encoders.in_thread import InThread

RUN, DATASET = "night", "films"
ITEMS, USERS, GENRES, WIDTH = 90, 70, 6, 12
FEATURES = {"plot": "first", "tags": "second", "sound": "first"}  # feature -> encoder; sound is a matrix
IDS = [f"film-{2 * number + 5:04d}" for number in range(ITEMS)]
NEW = 4  # films that nobody has taken
FILES = {"plot": "plot.npy", "tags": "tags.npy", "sound": "sound.npy"}


class Projection:
    """An encoder of texts that hold numbers: a projection that is its own."""

    def __init__(self, seed: int) -> None:
        self.width = WIDTH
        self.identity = f"projection-{seed}@0123456789ab-t1-float32"
        self._matrix = np.random.default_rng(seed).normal(size=(8, WIDTH))

    def decode(self, data: bytes) -> str:
        """As the real ones do."""
        return decode_text(data)

    def encode(self, media: Sequence[str]) -> np.ndarray:
        """(n, WIDTH) float32."""
        points = np.array([[float(word) for word in text.split()] for text in media]).reshape(-1, 8)
        return (points @ self._matrix).astype(np.float32)


ENCODERS = {"first": Projection(1), "second": Projection(2)}


def use_encoders(patch: pytest.MonkeyPatch) -> None:
    """Let the steps find the encoders."""
    patch.setattr("tasks.runs.embeddings.load_encoder", lambda store, name, device="cpu": {"text": ENCODERS[name]})
    patch.setattr("tasks.encoders.pipeline.Workers", InThread)  # which starts at once
    for place in ("tasks.steps.scan", "tasks.runs.embeddings"):
        patch.setattr(f"{place}.identify", lambda store, name: {"text": ENCODERS[name].identity})


def make_night(store: Store) -> None:
    """Everything that a run has made when models are to be trained."""
    make_catalogue(store)
    go_on()


def make_catalogue(store: Store) -> None:
    """Media, a matrix and a log, and a run that has scanned them."""
    rng = np.random.default_rng(11)
    genre = np.arange(ITEMS) % GENRES
    points = rng.normal(size=(GENRES, 8))[genre] + 0.2 * rng.normal(size=(ITEMS, 8))
    for item, row in zip(IDS, points, strict=True):
        store.put(f"media/{DATASET}/text/{item}.txt", " ".join(f"{value:.4f}" for value in row).encode())
    with write_artefact(store, f"matrices/{DATASET}/sound/one") as out:
        out.array("vectors.npy", (points @ rng.normal(size=(8, WIDTH))).astype(np.float32))
        out.frame("items.csv", pd.DataFrame({"item_id": IDS}))
    point(store, f"matrices/{DATASET}/sound", "one")
    likes = np.where(genre == (np.arange(USERS) % GENRES)[:, None], 8.0, 1.0)
    likes[:, -NEW:] = 0
    taken = [rng.choice(ITEMS, 16, replace=False, p=row / row.sum()) for row in likes]
    users = np.repeat(np.arange(USERS, dtype=np.int32), 16)
    log = Interactions(
        users,
        np.concatenate(taken).astype(np.int32),
        np.array([f"user-{number}" for number in range(USERS)]),
        np.array(IDS),
        rng.integers(1_600_000_000, 1_700_000_000, len(users)),
    )
    with write_artefact(store, f"interactions/{DATASET}/one") as out:
        log.take(np.arange(len(log))).save(out.file("interactions.parquet"))
    point(store, f"interactions/{DATASET}", "one")
    features = {name: {"modality": "text", "encoder": encoder} for name, encoder in FEATURES.items()}
    scan(run=RUN, dataset=DATASET, features=json.dumps(features), models="ease", k=5)


def go_on(*, from_align: bool = False) -> None:
    """Make everything up to the checked dataset."""
    if not from_align:
        for name in FEATURES:
            extract(run=RUN, feature=name)
    align(run=RUN)
    check_embeddings(run=RUN)
    prepare(run=RUN)
    check_dataset(run=RUN)


@dataclass
class Night:
    """A copy of the night in a folder of its own."""

    folder: Path

    def path(self, step: str, file: str) -> Path:
        """Where a file of a step is; the log and the matrix by their whole prefix."""
        return self.folder / (step if "/" in step else f"runs/{RUN}/{step}") / file

    def manifest(self, step: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Edit a manifest."""
        path = self.path(step, "manifest.json")
        facts = json.loads(path.read_text())
        change(facts)
        path.write_text(json.dumps(facts))

    def array(self, step: str, file: str, change: Callable[[np.ndarray], np.ndarray | None]) -> None:
        """Change a matrix; `change` may do it in place."""
        array = np.load(self.path(step, file))
        changed = change(array)
        np.save(self.path(step, file), np.ascontiguousarray(array if changed is None else changed))
        self.follow(step, file)

    def frame(self, step: str, file: str, change: Callable[[pd.DataFrame], pd.DataFrame | None]) -> None:
        """Change a table of text; `change` may do it in place."""
        path, sep = self.path(step, file), "\t" if file.endswith(".inter") else ","
        frame = pd.read_csv(path, sep=sep, dtype=str, keep_default_na=False)
        changed = change(frame)
        (frame if changed is None else changed).to_csv(path, sep=sep, index=False)
        self.follow(step, file)

    def follow(self, step: str, file: str, **counts: int) -> None:
        """Let the manifest state what the file is now, and what was counted; later artefacts were made from that."""
        path = self.path(step, file)
        before = read_artefact(self.store, f"{self.prefix(step)}").manifest.content

        def restate(facts: dict[str, Any]) -> None:
            data = path.read_bytes()
            entry = facts["files"][file] | {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
            if file.endswith(".npy"):
                array = np.load(path)
                entry |= {"dtype": str(array.dtype), "shape": list(array.shape), "rows": len(array)}
            elif entry["rows"] is not None:
                sep = "\t" if file.endswith(".inter") else ","
                entry["rows"] = len(pd.read_csv(path, sep=sep, dtype=str, keep_default_na=False))
            facts["files"][file] = entry
            facts["counts"] |= counts

        self.manifest(step, restate)
        self.relink(self.prefix(step), before)

    def relink(self, prefix: str, before: str) -> None:
        """Exchange the content of `prefix` in the inputs of what was made from it."""
        after = read_artefact(self.store, prefix).manifest.content
        for path in (self.folder / f"runs/{RUN}").glob("*/manifest.json"):
            facts = json.loads(path.read_text())
            if facts["inputs"].get(prefix) == before:
                facts["inputs"][prefix] = after
                path.write_text(json.dumps(facts))

    def prefix(self, step: str) -> str:
        """The prefix of a step's artefact."""
        return step if "/" in step else f"runs/{RUN}/{step}"

    @property
    def store(self) -> Store:
        """The store over the folder; RECSYS_STORE names it."""
        return open_store()

    def failures(self, check: Callable[..., object], suite: str) -> set[tuple[str, str]]:
        """(expectation, column) of what a check refuses; what it could not read is the name of the error."""
        try:
            check(run=RUN)
        except ValidationFailed:
            report = read_artefact(self.store, f"runs/{RUN}/{suite}").json("report.json")
            return {
                (one["expectation"], one["column"])
                for one in report["results"]
                if not one["success"] and one["severity"] == "critical"
            }
        except TaskError as error:
            return {(type(error).__name__, str(error))}
        return set()
