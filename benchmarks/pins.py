"""A hash of every model's state, to see that a change of structure changed no number: run it before and after.

    python -m benchmarks.pins [--models NAME ...] [--seeds N]

One line a model and seed: sha256 (16 digits) of its scores and of its sorted state on a small generated world, with
one thread. The same commit gives the same lines on the same machine; another processor may round otherwise.
"""

from __future__ import annotations

import argparse
import hashlib

import numpy as np

from tasks.models import MODELS, build_model, model_class
from tasks.models.base import Model
from tasks.training import TrainingOptions
from tests.world import random_world

BRIEF = {"learning_rate": 0.02, "batch_size": 128, "max_epochs": 5, "embedding_size": 16}
USERS, ITEMS = 40, 60


def pinned(name: str, seed: int) -> tuple[str, str]:
    """Hashes of the state and of the scores of a model trained by `seed`."""
    known = model_class(name).Config.model_fields
    model = build_model(name, {key: value for key, value in BRIEF.items() if key in known}, random_world(USERS, ITEMS))
    model.fit(TrainingOptions(seed=seed))
    return state_hash(model), digest(model.scores(np.arange(USERS)))


def state_hash(model: Model) -> str:
    """Of all tensors in the order of their names."""
    found = hashlib.sha256()
    for name, tensor in sorted(model.state().items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(np.ascontiguousarray(tensor.numpy()).tobytes())
    return found.hexdigest()[:16]


def digest(array: np.ndarray) -> str:
    """Of the bytes of an array."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def main(models: list[str], seeds: int) -> None:
    """Print a line for each model and seed."""
    for name in models:
        for seed in range(seeds):
            state, scores = pinned(name, seed)
            print(f"{name:<12}{seed:>3}  state {state}  scores {scores}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=list(MODELS), metavar="NAME")
    parser.add_argument("--seeds", type=int, default=2)
    given = parser.parse_args()
    main(given.models, given.seeds)
