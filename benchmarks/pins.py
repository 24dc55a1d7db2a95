"""A hash of every model's state, to see that a change of structure changed no number: run it before and after.

    python -m benchmarks.pins [--models NAME ...] [--seeds N] [--lfm2k FOLDER] [--missing] [--encoders]

One line a model and seed: sha256 (16 digits) of its scores and of its sorted state, with one thread, on a small
generated world; on the real log and matrices of FOLDER; or on the generated world with a modality missing here and
there. With --encoders instead one line a modality: the vectors of generated media. The same commit gives the same
lines on the same machine; another processor may round otherwise.
"""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from tasks.data import Dataset
from tasks.encoders import load_encoder
from tasks.models import MODELS, build_model, model_class
from tasks.models.base import Model
from tasks.store import open_store
from tasks.training import TrainingOptions
from tests.encoders.audioclip_world import picture, sound, text
from tests.world import random_world

BRIEF = {"learning_rate": 0.02, "batch_size": 128, "max_epochs": 5, "embedding_size": 16}
BRIEF_ON_LFM2K = {"max_epochs": 2, "embedding_size": 32}
USERS, ITEMS = 40, 60


def generated_world() -> Dataset:
    """A small world, everything there."""
    return random_world(USERS, ITEMS)


def incomplete_world() -> Dataset:
    """The same world; every fifth item lacks the first modality, some lack the last, one lacks both."""
    data = random_world(USERS, ITEMS)
    features = {name: matrix.copy() for name, matrix in data.features.items()}
    first, *_, last = features
    features[first][::5] = 0
    features[last][3::10] = 0
    features[last][5] = 0
    return replace(data, features=features)


def lfm2k(folder: Path) -> Dataset:
    """LFM-2k as published: its log, and vectors of texts and sounds."""
    names = {"text": "all-MiniLM-L6-v2", "audio": "vggish"}
    features = {name: np.load(folder / f"{file}.npy").astype(np.float32) for name, file in names.items()}
    table = pd.read_csv(folder / "lfm2k.inter", sep="\t")
    shape = int(table["userID"].max()) + 1, int(table["itemID"].max()) + 1
    parts = [table[table["x_label"] == label] for label in range(3)]
    splits = [sparse.csr_matrix((np.ones(len(p), np.float32), (p["userID"], p["itemID"])), shape=shape) for p in parts]
    users, items = (np.arange(count).astype(np.str_) for count in shape)
    return Dataset("lfm2k", *splits, users, items, features)


def pin_model(name: str, seed: int, data: Dataset, brief: dict[str, float]) -> tuple[str, str]:
    """Hashes of the state and of the scores of a model trained by `seed`."""
    known = model_class(name).Config.model_fields
    model = build_model(name, {key: value for key, value in brief.items() if key in known}, data)
    model.fit(TrainingOptions(seed=seed))
    return state_hash(model), array_hash(model.scores(np.arange(min(500, data.train.shape[0]))))


def state_hash(model: Model) -> str:
    """Of all tensors in the order of their names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(np.ascontiguousarray(tensor.numpy()).tobytes())
    return digest.hexdigest()[:16]


def array_hash(array: np.ndarray) -> str:
    """Of the bytes of an array."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def pin_encoders(folder: Path) -> list[str]:
    """A line for each modality of the shipped encoder: its identity and the hash of its vectors of three media."""
    store = open_store(f"file://{folder}")
    lines = []
    for modality, make in {"image": picture, "audio": sound, "text": text}.items():
        encoder = load_encoder(store, "audioclip-demo")[modality]
        vectors = encoder.encode([encoder.decode(make(seed)) for seed in range(3)])
        lines.append(f"{modality:<8}{encoder.identity}  vectors {array_hash(np.asarray(vectors))}")
    return lines


def main(given: argparse.Namespace) -> None:
    """Print a line for each model and seed, or for each modality."""
    if given.encoders:
        print("\n".join(pin_encoders(Path.cwd())))
        return
    data = lfm2k(given.lfm2k) if given.lfm2k else incomplete_world() if given.missing else generated_world()
    for name in given.models:
        for seed in range(given.seeds):
            state, scores = pin_model(name, seed, data, BRIEF_ON_LFM2K if given.lfm2k else BRIEF)
            print(f"{name:<12}{seed:>3}  state {state}  scores {scores}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=list(MODELS), metavar="NAME")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--lfm2k", type=Path, metavar="FOLDER")
    parser.add_argument("--missing", action="store_true")
    parser.add_argument("--encoders", action="store_true")
    main(parser.parse_args())
