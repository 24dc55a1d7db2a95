"""Two evenings of a small catalogue, as files that people load, and the commands of a night.

Texts hold the numbers of a point near the centre of a genre (`tests/faults/world.py` has their encoders), users take
mostly films of one genre. By the second evening there are more films, more users and more views.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from tests.faults.world import DATASET, FEATURES, GENRES, WIDTH

FILMS, USERS, TAKEN = 60, 90, 12
MODELS = ("itemknn", "bpr")
PRESET = {
    "features": {name: {"modality": "text", "encoder": encoder} for name, encoder in FEATURES.items()},
    "dataset": DATASET,
    "models": list(MODELS),
    "k_core": 3,
    "tolerance": 0.5,
    "hyperparameters": {"bpr": {"max_epochs": 12, "evaluate_every": 1, "embedding_size": 8}},
}


@dataclass(frozen=True)
class Evening:
    """What there is by one evening, in a folder, and the name of the run that follows."""

    folder: Path
    run: str

    def commands(self) -> list[list[str]]:
        """What people type and what the DAG does, in order."""
        here, of, run = self.folder, ["--dataset", DATASET], ["--run", self.run]
        vectors = ["--vectors", str(here / "sound.npy"), "--items", str(here / "sound.csv")]
        return [
            ["load-media", str(here / "media"), *of],
            ["load-embeddings", *of, "--modality", "text", "--feature", "sound", *vectors],
            ["load-interactions", str(here / "views.csv"), *of],
            ["scan", *run, "--config", str(here / "preset.yaml")],
            *(["extract", *run, "--feature", name] for name in FEATURES),
            ["align", *run],
            ["check-embeddings", *run],
            ["prepare", *run],
            ["check-dataset", *run],
            *(["train", *run, "--model", model, "--threads", "1"] for model in MODELS),
            *(["evaluate", *run, "--model", model] for model in MODELS),
            ["refit", *run, "--threads", "1"],
            ["publish", *run],
        ]


def write_evening(folder: Path, run: str, films: int = FILMS, users: int = USERS) -> Evening:
    """Write the files of one evening; those of more films and users begin with those of fewer."""
    (folder / "media" / "text").mkdir(parents=True)
    centres = np.random.default_rng(1).normal(size=(GENRES, 8))
    mixing = np.random.default_rng(2).normal(size=(8, WIDTH))
    ids = [f"film-{2 * number + 5:04d}" for number in range(films)]
    points = np.array(
        [centres[film % GENRES] + 0.2 * np.random.default_rng(film).normal(size=8) for film in range(films)]
    )
    for item, row in zip(ids, points, strict=True):
        (folder / "media" / "text" / f"{item}.txt").write_text(" ".join(f"{value:.4f}" for value in row))
    np.save(folder / "sound.npy", (points @ mixing).astype(np.float32))
    pd.DataFrame({"item_id": ids}).to_csv(folder / "sound.csv", index=False)
    views = [view for user in range(users) for view in _views(user, ids)]
    pd.DataFrame(views, columns=["user_id", "item_id", "timestamp"]).to_csv(folder / "views.csv", index=False)
    (folder / "preset.yaml").write_text(json.dumps(PRESET))
    return Evening(folder, run)


def _views(user: int, ids: list[str]) -> list[tuple[str, str, int]]:
    """What one user took of the first FILMS, and of those that came later one."""
    rng = np.random.default_rng(1000 + user)
    weights = np.where(np.arange(FILMS) % GENRES == user % GENRES, 8.0, 1.0)
    taken = rng.choice(FILMS, TAKEN, replace=False, p=weights / weights.sum())
    later = [FILMS + user % (len(ids) - FILMS)] if len(ids) > FILMS + 2 and user % 3 == 0 else []
    return [(f"user-{user:03d}", ids[film], 1_600_000_000 + 60 * n + user) for n, film in enumerate([*taken, *later])]
