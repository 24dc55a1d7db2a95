"""Songs with descriptors and no media, and a log in which users keep to one kind of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tasks.data import Interactions
from tasks.steps.load_features import load_features
from tasks.store import Store, write_artefact
from tasks.store.pointers import point

DATASET, SONGS, USERS = "songs", 120, 60
COLUMNS = ("tempo", "loudness", "energy", "key")
IDS = [f"s{number:03d}" for number in range(SONGS)]


def numbers() -> np.ndarray:
    """(songs, columns): even songs are slow and quiet, odd ones fast and loud."""
    rng = np.random.default_rng(5)
    kind = np.arange(SONGS)[:, None] % 2
    return rng.normal(size=(SONGS, len(COLUMNS))) * [10, 3, 0.1, 2] + kind * [60, 12, 0.5, 0] + [70, -20, 0.2, 5]


def load_songs(folder: Path, **options: object) -> dict[str, object]:
    """Load the table as the feature `spotify`."""
    rows = [",".join([item, *map(str, row)]) for item, row in zip(IDS, numbers().round(5).tolist(), strict=True)]
    (folder / "songs.csv").write_text("\n".join([f"item_id,{','.join(COLUMNS)}", *rows]) + "\n")
    given: dict[str, object] = {"file": str(folder / "songs.csv"), "dataset": DATASET, "feature": "spotify"}
    return load_features(**given | options)  # type: ignore[arg-type]  # a test's own options


def load_log(store: Store) -> None:
    """Each user takes twenty songs of one kind."""
    rng = np.random.default_rng(6)
    kinds = [np.arange(kind, SONGS, 2) for kind in (0, 1)]
    items = np.concatenate([rng.choice(kinds[user % 2], 20, replace=False) for user in range(USERS)])
    users = np.repeat(np.arange(USERS, dtype=np.int32), 20)
    log = Interactions(users, items.astype(np.int32), np.array([f"u{n}" for n in range(USERS)]), np.array(IDS))
    with write_artefact(store, f"interactions/{DATASET}/one") as out:
        log.save(out.file("interactions.parquet"))
    point(store, f"interactions/{DATASET}", "one")
