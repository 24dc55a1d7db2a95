"""How much faster the recommenders are than the plain way of writing them, in one run on one machine.

    python -m benchmarks.models [LOG] [--steps N] [--threads N]

LOG is a tab-separated table of user, item and 0, 1 or 2 for the split; without it a log the size of MovieLens-1M is
drawn. The plain way, per part: negatives by rejection in Python, a graph built edge by edge and multiplied as COO, all
items projected in every step, Adam unfused, metrics in a loop over users. Both sides start from the same parameters
and see the same batches, and their losses are compared. Only the ratios mean anything on a busy machine.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from torch import Tensor

from tasks.data import Dataset
from tasks.metrics import evaluate
from tasks.models import build_model
from tasks.models.parts.gradient import GradientModel
from tasks.models.parts.graph import normalised_bipartite, torch_csr
from tasks.training import Batch, NegativeSampler

BATCH = 2048  # as published code has it, on both sides


def seconds(work: Callable[[], object], *, times: int = 1) -> float:
    """The fastest of some runs."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


def dataset(log: Path | None) -> Dataset:
    """The log with two drawn 1024-d feature matrices."""
    rng = np.random.default_rng(0)
    if log is not None:
        table = pd.read_csv(log, sep="\t")
        users, items = (np.unique(table.iloc[:, column], return_inverse=True)[1] for column in (0, 1))
        labels = table.iloc[:, 2].to_numpy()
    else:
        users, items = rng.integers(0, 6040, 1_000_000), (3256 * rng.random(1_000_000) ** 3).astype(np.int64)
        users, items = np.unique(np.stack([users, items]), axis=1)
        labels = rng.choice(3, len(users), p=[0.8, 0.1, 0.1])
    shape = (users.max() + 1, items.max() + 1)
    ones = np.ones(len(users), dtype=np.float32)
    splits = [
        sparse.csr_matrix((ones[labels == n], (users[labels == n], items[labels == n])), shape=shape) for n in range(3)
    ]
    features = {name: rng.normal(size=(shape[1], 1024)).astype(np.float32) for name in ("image", "text")}
    return Dataset("benchmark", *splits, np.arange(shape[0]).astype(str), np.arange(shape[1]).astype(str), features)


def plain_negatives(data: Dataset) -> list[int]:
    """One for each interaction: drawn, and drawn again while the user has taken it."""
    taken = [set(data.train[user].indices.tolist()) for user in range(data.train.shape[0])]
    found = []
    for items in taken:
        for _ in items:
            item = random.randrange(data.train.shape[1])  # noqa: S311  no secret
            while item in items:
                item = random.randrange(data.train.shape[1])  # noqa: S311
            found.append(item)
    return found


def plain_graph(data: Dataset) -> Tensor:
    """The normalised graph, edge by edge, as a COO tensor."""
    users, items = data.train.shape
    edges: dict[tuple[int, int], float] = {}
    for user, item in zip(*data.train.nonzero(), strict=True):
        edges[int(user), users + int(item)] = edges[users + int(item), int(user)] = 1.0
    degrees = [0] * (users + items)
    for row, _ in edges:
        degrees[row] += 1
    weights = [1 / math.sqrt(degrees[row] * degrees[column]) for row, column in edges]
    return torch.sparse_coo_tensor(
        torch.tensor(list(edges)).T, weights, (users + items, users + items), check_invariants=True
    )


def plain_evaluation(scores: Callable[[np.ndarray], np.ndarray], data: Dataset) -> dict[str, float]:
    """Recall and NDCG at 20, user by user."""
    users = [user for user in range(data.test.shape[0]) if len(data.test[user].indices)]
    recall = ndcg = 0.0
    for user in users:
        row = scores(np.array([user]))[0].copy()
        row[data.train[user].indices] = -np.inf
        best = np.argsort(-row, kind="stable")[:20].tolist()
        wanted = set(data.test[user].indices.tolist())
        ideal = sum(1 / math.log2(rank + 2) for rank in range(min(20, len(wanted))))
        recall += len(wanted.intersection(best)) / len(wanted)
        ndcg += sum(1 / math.log2(rank + 2) for rank, item in enumerate(best) if item in wanted) / ideal
    return {"recall@20": recall / len(users), "ndcg@20": ndcg / len(users)}


@dataclass
class Plain:
    """The same model written the plain way, on a copy of its parameters."""

    model: GradientModel
    graph: Tensor | None

    def __post_init__(self) -> None:
        self.tables = {name: p.detach().clone().requires_grad_() for name, p in self.model.named_parameters()}
        self.optimizer = torch.optim.Adam(self.tables.values(), lr=1e-3, foreach=False, fused=False)

    def vectors(self) -> tuple[Tensor, Tensor, Tensor]:
        """Of all users, of all items, and the items' biases."""
        if "nodes" in self.tables:
            layers = [self.tables["nodes"]]
            for _ in range(2):
                layers.append(torch.sparse.mm(self.graph, layers[-1]))
            users, items = torch.stack(layers).mean(0).split(list(self.model.data.train.shape))
            return users, items, torch.zeros(len(items))
        items, bias = self.tables["items"], torch.zeros(len(self.tables["items"]))
        if "projection" in self.tables:
            features = self.model.features
            items = torch.cat([items, features @ self.tables["projection"]], 1)
            bias = (self.tables["bias"] + features @ self.tables["content_bias"]).squeeze(1)
        return self.tables["users"], items, bias

    def step(self, batch: Batch) -> float:
        """One optimiser step; returns the loss."""
        users, items, bias = self.vectors()
        p, i, j = users[batch.users], items[batch.positives], items[batch.negatives]
        b_i, b_j = bias[batch.positives], bias[batch.negatives]
        own: tuple[Tensor, ...] = (p, i, j, b_i, b_j)
        if "nodes" in self.tables:
            shift, nodes = self.model.data.train.shape[0], self.tables["nodes"]
            own = nodes[batch.users], nodes[batch.positives + shift], nodes[batch.negatives + shift]
        margin = (p * i).sum(1) + b_i - (p * j).sum(1) - b_j
        loss = -torch.log(torch.sigmoid(margin)).mean()
        loss = loss + self.model.config.regularization * sum(part.pow(2).sum() for part in own) / (2 * len(p))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())


def steps(name: str, data: Dataset, batches: list[Batch], graph: Tensor) -> tuple[float, float, float]:
    """Seconds a step of both, and the largest relative difference of their losses."""
    model = build_model(name, {"batch_size": BATCH, "learning_rate": 1e-3}, data)
    assert isinstance(model, GradientModel)
    model.initialise(torch.Generator().manual_seed(0))
    plain = Plain(model, graph)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    ours, theirs, worst = [], [], 0.0
    for batch in batches:
        losses: list[float] = []

        def step(batch: Batch = batch, losses: list[float] = losses) -> None:
            loss = model.loss(batch)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))

        ours.append(seconds(step))
        theirs.append(seconds(lambda batch=batch, losses=losses: losses.append(plain.step(batch))))
        worst = max(worst, abs(losses[0] - losses[1]) / losses[1])
    return float(np.median(ours)), float(np.median(theirs)), worst


def main(log: Path | None, count: int, threads: int) -> None:
    """Print one line a part."""
    torch.set_num_threads(threads)
    data = dataset(log)
    rng = np.random.default_rng(0)
    print(f"{data.train.nnz} training interactions, {data.shape[0]} users, {data.shape[1]} items, {threads} threads")
    print(f"{'part':<28}{'plain s':>10}{'ours s':>10}{'ratio':>8}  note")

    def line(part: str, plain: float, ours: float, note: str = "") -> None:
        print(f"{part:<28}{plain:>10.4f}{ours:>10.4f}{plain / ours:>8.1f}  {note}", flush=True)

    users = np.repeat(np.arange(data.shape[0]), np.diff(data.train.indptr))
    sampler = NegativeSampler(data.train)
    ours = seconds(lambda: sampler.sample(users, rng), times=3)
    sampling = seconds(lambda: plain_negatives(data)), ours
    line("negatives of an epoch", *sampling)
    graphs: list[Tensor] = []
    plain = seconds(lambda: graphs.append(plain_graph(data)))
    line("graph", plain, seconds(lambda: torch_csr(normalised_bipartite(data.train)), times=3))
    rows = rng.choice(data.train.nnz, count * BATCH)
    drawn = users[rows], data.train.indices[rows].astype(np.int64), sampler.sample(users[rows], rng)
    columns = [torch.from_numpy(column).split(BATCH) for column in drawn]
    batches = [Batch(*parts) for parts in zip(*columns, strict=True)]
    for name in ("bpr", "vbpr", "lightgcn"):
        ours, plain, worst = steps(name, data, batches, graphs[0])
        per_epoch = data.train.nnz / BATCH
        note = f"{ours * 1e3:.1f} ms a step, losses differ by {worst:.1e} at most"
        line(f"epoch of {name} (from {count})", plain * per_epoch + sampling[0], ours * per_epoch + sampling[1], note)
    table = rng.normal(size=data.shape).astype(np.float32)
    found: list[dict[str, float]] = []
    plain = seconds(lambda: found.append(plain_evaluation(lambda users: table[users], data)))
    ours = seconds(lambda: found.append(evaluate(lambda users: table[users], data, "test").means()), times=3)
    worst = max(abs(found[0][key] - found[-1][key]) for key in found[0])
    line("evaluation on test", plain, ours, f"ours has 16 figures, plain 2; they differ by {worst:.1e} at most")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path, nargs="?")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    main(options.log, options.steps, options.threads)
