"""Time and accuracy of bfloat16 and of larger batches: complete trainings on the dataset of a run.

    python -m benchmarks.options RUN [--models NAME ...] [--seeds N] [--threads N]

RUN is a prepared run of the store. Hyperparameters are those of its preset, with batches of 2048; each variant changes
one option. Seconds are the median epoch without validation, metrics are NDCG@20; all are means over seeds.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import partial

import numpy as np

from tasks.data import Dataset
from tasks.metrics import evaluate, selection_metric
from tasks.models import build_model
from tasks.runs.plan import read_plan
from tasks.runs.prepared import load_dataset
from tasks.store import open_store
from tasks.training import TrainingOptions

FIRST = "batches of 2048"
VARIANTS: dict[str, dict[str, object]] = {
    FIRST: {},
    "bfloat16": {"precision": "bfloat16"},
    "batches of 8192": {"batch_size": 8192},
    "batches of 32768": {"batch_size": 32768},
}


@dataclass(frozen=True)
class Outcome:
    """Results of one training."""

    epoch_seconds: float
    epochs: int
    valid: float
    test: float


def outcome(name: str, hyperparameters: dict[str, object], data: Dataset, seed: int, threads: int) -> Outcome:
    """Train until early stopping."""

    model = build_model(name, hyperparameters, data)
    records = model.fit(TrainingOptions(threads=threads, seed=seed, validate=partial(selection_metric, data=data)))
    seconds = float(np.median([record.seconds for record in records if record.valid is None]))
    valid = max(record.valid for record in records if record.valid is not None)
    return Outcome(seconds, len(records), valid, evaluate(model.scores, data, "test").means()["ndcg@20"])


def main(run: str, models: list[str], seeds: int, threads: int) -> None:
    """Print one line per variant."""
    store = open_store()
    plan, data = read_plan(store, run), load_dataset(store, run)
    print(f"{'model':<10}{'variant':<18}{'epoch s':>9}{'ratio':>7}{'epochs':>8}{'valid':>8}{'test':>8}{'change':>8}")
    for name in models:
        base = {**plan.config.hyperparameters.get(name, {}), "batch_size": 2048}
        results: dict[str, np.ndarray] = {}
        for variant, changed in VARIANTS.items():
            trained = [outcome(name, {**base, **changed}, data, plan.config.seed + n, threads) for n in range(seeds)]
            results[variant] = np.mean(
                [[one.epoch_seconds, one.epochs, one.valid, one.test] for one in trained], axis=0
            )
            seconds, epochs, valid, test = results[variant]
            ratio, change = results[FIRST][0] / seconds, test - results[FIRST][3]
            print(
                f"{name:<10}{variant:<18}{seconds:>9.3f}{ratio:>7.2f}{epochs:>8.0f}{valid:>8.4f}{test:>8.4f}"
                f"{change:>+8.4f}",
                flush=True,
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--models", nargs="+", default=["vbpr", "freedom"], metavar="NAME")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    main(options.run, options.models, options.seeds, options.threads)
