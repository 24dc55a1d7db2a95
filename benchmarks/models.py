"""Speed of the recommenders relative to plain implementations, in one run on one machine.

    python -m benchmarks.models [LOG] [--models NAME ...] [--threads N] [--busy]

LOG is a tab-separated table of user, item and 0, 1 or 2 for the split; without it a random log of the size of
MovieLens-1M is used. The plain implementations are in `benchmarks/plain`. Both sides have the same parameters and
batches of 2048. First the losses of all batches are compared; then steps are timed, ten of one side and ten of the
other in turn, for ten seconds. The time of an epoch is that of its start (edge dropout, neighbours), its batches with
negatives, of the first step, and of the fastest later step for all others, which is disturbed least. With --busy, for a
machine with other users, only the time of the main thread counts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.plain import PLAIN, TRAIN_FEATURES, Plain, loops
from benchmarks.worlds import draw, fixed_batches, read
from tasks.data import Dataset
from tasks.metrics import evaluate
from tasks.models import build_model
from tasks.models.families.gradient import GradientModel
from tasks.models.layers.content import Content
from tasks.models.layers.item_graph import KNNGraphs
from tasks.training import Batch, Triplets
from tasks.training.allocation import keep_memory
from tasks.training.optim import Adam

BATCH = 2048  # as in published code, on both sides
# Options of ours against the same plain epoch; the larger batch is a default of ours: plain projects all items a step.
OTHERWISE: dict[str, list[dict[str, Any]]] = {"vbpr": [{"precision": "bfloat16"}, {"batch_size": 8192}]}
LEAST, SECONDS = 10, 10.0  # consecutive steps of a model, and seconds for both sides together
CLOCKS: dict[bool, Callable[[], float]] = {False: time.perf_counter, True: time.thread_time}


@dataclass
class Ours:
    """One of our models with its optimiser, as in the training loop."""

    model: GradientModel
    optimizer: Adam = field(init=False)

    def __post_init__(self) -> None:
        self.optimizer = Adam(self.model.parameters(), lr=1e-3)

    def start_epoch(self) -> None:
        """Start an epoch like the training loop."""
        self.model.train()
        self.model.start_epoch(np.random.default_rng(0))

    def loss(self, batch: Batch) -> torch.Tensor:
        """Return the model's loss."""
        return self.model.loss(batch)

    def step(self, batch: Batch) -> None:
        """One optimiser step."""
        self.optimizer.zero_grad(set_to_none=True)
        self.loss(batch).backward()
        self.optimizer.step()


def build(name: str, data: Dataset, **options: object) -> GradientModel:
    """Return our model; its parameters are not initialised yet."""
    model = build_model(name, {"batch_size": BATCH, "learning_rate": 1e-3, **options}, data)
    assert isinstance(model, GradientModel)
    return model


def pair(name: str, data: Dataset, *, train_features: bool = False, **options: object) -> tuple[Plain, Ours]:
    """Return both sides with the same parameters; the plain one has no graphs yet."""
    ours = Ours(build(name, data, **options))
    ours.model.initialise(torch.Generator().manual_seed(0))
    return PLAIN[name](ours.model, train_features=train_features), ours


def difference(plain: Plain, ours: Ours, batches: list[Batch]) -> float:
    """Return the largest relative difference of the losses, at the same parameters."""
    differences = []
    for batch in batches:
        with torch.no_grad():
            expected, loss = float(plain.loss(batch)), float(ours.loss(batch))
        differences.append(abs(loss - expected) / expected)
    return max(differences)


class Benchmark:
    """Measures both sides with one clock and prints a line per part."""

    def __init__(self, data: Dataset, batches: list[Batch], *, busy: bool) -> None:
        self.data, self.batches, self.clock = data, batches, CLOCKS[busy]

    def seconds(self, work: Callable[[], object], *, times: int = 1) -> float:
        """Return the time of the fastest of some runs."""
        durations = []
        for _ in range(times):
            start = self.clock()
            work()
            durations.append(self.clock() - start)
        return min(durations)

    def line(self, part: str, plain: float, ours: float, note: str = "") -> None:
        """Print one comparison."""
        print(f"{part:<32}{plain:>10.4f}{ours:>10.4f}{plain / ours:>8.1f}  {note}", flush=True)

    def batching(self) -> tuple[float, float]:
        """An epoch's batches."""
        triplets, rng = Triplets(self.data.train, BATCH), np.random.default_rng(0)
        plain = self.seconds(lambda: loops.batches(self.data, BATCH), times=3)
        ours = self.seconds(lambda: list(triplets.draw(rng, torch.device("cpu"))), times=3)
        self.line("batches of an epoch", plain, ours)
        return plain, ours

    def model(self, name: str, batching: tuple[float, float]) -> None:
        """Measure the construction, if the model has any, and an epoch."""
        plain, ours = pair(name, self.data)
        constructing = self.seconds(plain.build, times=3), self.seconds(lambda: build(name, self.data), times=3)
        if type(plain).build is not Plain.build:
            self.line(f"{name}: construction", *constructing)
        graphs = self.seconds(plain.build_item_graphs)  # once on both sides: ours are kept
        for layer in (module for module in ours.model.modules() if isinstance(module, KNNGraphs)):
            content = next(module for module in ours.model.modules() if isinstance(module, Content))
            self.line(f"{name}: item graphs", graphs, self.seconds(partial(layer, content)))
        self.epoch(f"{name}: epoch", plain, ours, batching)
        if name in TRAIN_FEATURES:
            plain, ours = pair(name, self.data, train_features=True)
            plain.build()
            plain.build_item_graphs()
            self.epoch(f"{name}: epoch, features too", plain, ours, batching)
        for options in OTHERWISE.get(name, []):
            plain, ours = pair(name, self.data, **options)
            label = ", ".join(f"{key} {value}" for key, value in options.items())
            self.epoch(f"{name}: {label}", plain, ours, batching, size=options.get("batch_size", BATCH))

    def epoch(self, label: str, plain: Plain, ours: Ours, batching: tuple[float, float], size: int = BATCH) -> None:
        """Compare the losses, then measure steps; ours have batches of `size`."""
        own = self.batches if size == BATCH else fixed_batches(self.data, LEAST, size)
        once = [self.seconds(side.start_epoch) for side in (ours, plain)][::-1]  # plain uses the random draws of ours
        worst = difference(plain, ours, self.batches)
        ours.start_epoch()
        measured: list[list[float]] = []
        while np.sum(measured) < SECONDS:
            by_plain = [self.seconds(partial(plain.step, batch)) for batch in self.batches]
            with keep_memory():  # as in the training loop
                by_ours = [self.seconds(partial(ours.step, batch)) for batch in own]
            measured += [list(both) for both in zip(by_plain, by_ours, strict=True)]
        steps = self.data.train.nnz / np.array([BATCH, size])
        best = np.min(measured[1:], axis=0)
        whole = np.array(once) + batching + measured[0] + (steps - 1) * best
        note = f"steps of {best[0] * 1e3:.1f} and {best[1] * 1e3:.1f} ms, losses differ by at most {worst:.1e}"
        self.line(label, *whole, note)

    def evaluation(self) -> None:
        """Measure the evaluation of all users on test."""
        table = np.random.default_rng(0).normal(size=self.data.shape).astype(np.float32)
        results: list[dict[str, float]] = []
        plain = self.seconds(lambda: results.append(loops.evaluation(lambda users: table[users], self.data)), times=3)
        ours = self.seconds(
            lambda: results.append(evaluate(lambda users: table[users], self.data, "test").means()), times=3
        )
        worst = max(abs(results[0][key] - results[-1][key]) for key in results[0])
        note = f"ours has {len(results[-1])} metrics, plain {len(results[0])}; they differ by at most {worst:.1e}"
        self.line("evaluation on test", plain, ours, note)


def main(log: Path | None, models: list[str], threads: int, *, busy: bool) -> None:
    """Print one line per part."""
    torch.set_num_threads(threads)
    data = draw(1_250_000) if log is None else read(log)
    print(f"{data.train.nnz} training interactions, {data.shape[0]} users, {data.shape[1]} items, {threads} threads")
    print(f"{'part':<32}{'plain s':>10}{'ours s':>10}{'ratio':>8}  note")
    benchmark = Benchmark(data, fixed_batches(data, LEAST, BATCH), busy=busy)
    batching = benchmark.batching()
    for side in pair("bpr", data):  # torch's initialisation at the first step is not part of a model
        side.step(benchmark.batches[0])
    for name in models:
        benchmark.model(name, batching)
    benchmark.evaluation()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path, nargs="?")
    parser.add_argument("--models", nargs="+", choices=PLAIN, default=list(PLAIN), metavar="NAME")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--busy", action="store_true")
    options = parser.parse_args()
    main(options.log, options.models, options.threads, busy=options.busy)
