"""Neural maps from content to item vectors for arrivals, beside the Gaussian process of the product.

    python -m benchmarks.arrivals_neural DATA [--worlds NAME ...] [--seeds N] [--first SEED] [--threads N]

DATA and the draws are those of `benchmarks.arrivals`: iALS on known items, and a network of one hidden layer from
standardised content to its item vectors, whose epochs are chosen by the recall of a fifth of the known items.

* dropoutnet: the item side of Volkovs et al. 2017. The input is content beside the item's vector, which is zero for
  half of the items of each batch; the loss is the squared error of the scores of all users (equation 3).
* clcrec: the item side of Wei et al. 2021. The content's vector is contrasted with the item's own vector, and with the
  vectors of the item's users (InfoNCE, equations 8 and 10), other items of the batch are negatives.

Figures are Recall@20 of arrivals among themselves, means over the seeds; the product is the reference in the same run.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.arrivals import Drawn, K, draw, mean_of
from benchmarks.arrivals_content import WORLDS, parser_of
from tasks.arrivals.fitting import fit_arrivals
from tasks.metrics import top_items

HIDDEN, BATCH, EPOCHS, EVERY = 512, 256, 300, 10
RATES, DECAY, TEMPERATURE = (3e-4, 1e-3), 1e-4, 0.1


def standardised(drawn: Drawn) -> tuple[Tensor, Tensor]:
    """Return content of the known items and of the arrivals side by side, each feature on one scale."""
    known, new = [], []
    for name, rows in drawn.data.features.items():
        mean, scale = rows.mean(axis=0), (rows - rows.mean(axis=0)).std()
        known.append((rows - mean) / scale)
        new.append((drawn.features[name] - mean) / scale)
    return torch.from_numpy(np.concatenate(known, axis=1)), torch.from_numpy(np.concatenate(new, axis=1))


@dataclass(frozen=True)
class Side:
    """What a network learns from: `content` (K, c) and `vectors` (K, d) of known items, and users' vectors.

    `takers` (K, d) are the means of those who took each item, `gram` (d, d) are the second moments of all.
    """

    content: Tensor
    vectors: Tensor
    takers: Tensor
    gram: Tensor

    @classmethod
    def of(cls, drawn: Drawn, content: Tensor, users: Tensor) -> Self:
        """Measure users on train."""
        counts = np.maximum(np.asarray(drawn.data.train.sum(axis=0)).ravel(), 1)
        takers = torch.from_numpy((drawn.data.train.T @ users.numpy()) / counts[:, None]).float()
        vectors = torch.from_numpy(drawn.vectors.astype(np.float32))
        return cls(content, vectors, takers, users.T @ users / len(users))

    def loss(self, method: str, network: nn.Module, batch: Tensor) -> Tensor:
        """Return the loss of a batch (b,) of item numbers."""
        content, vectors = self.content[batch], self.vectors[batch]
        if method == "dropoutnet":
            kept = (torch.rand(len(vectors), 1) < 0.5).to(vectors.dtype)
            wrong = network(torch.cat([content, vectors * kept], dim=1)) - vectors
            return ((wrong @ self.gram) * wrong).sum(dim=1).mean()
        made = functional.normalize(network(torch.cat([content, torch.zeros_like(vectors)], dim=1)), dim=1)
        target = torch.arange(len(made))
        others = (functional.normalize(rows, dim=1) for rows in (vectors, self.takers[batch]))
        return sum(
            (functional.cross_entropy(made @ other.T / TEMPERATURE, target) for other in others), made.new_zeros(())
        )


def users_of(drawn: Drawn) -> Tensor:
    """Return user vectors (users, d) that give the scores with the item vectors."""
    vectors, scores = drawn.vectors.astype(np.float64), drawn.scores.T.astype(np.float64)
    return torch.from_numpy(np.ascontiguousarray(np.linalg.lstsq(vectors, scores, rcond=None)[0].T)).float()


def train(method: str, drawn: Drawn, rate: float) -> tuple[float, np.ndarray]:
    """Return the recall of the held known items at the best epoch, and the scores (users, A) of arrivals then."""
    torch.manual_seed(0)
    content, new = standardised(drawn)
    users, width = users_of(drawn), drawn.vectors.shape[1]
    side = Side.of(drawn, content, users)
    held = np.random.default_rng(0).random(len(content)) < 0.2
    rest, asked = torch.from_numpy(np.flatnonzero(~held)), torch.from_numpy(np.flatnonzero(held))
    taken = (drawn.data.train + drawn.data.valid).tocsr()[:, held]
    layers = nn.Linear(content.shape[1] + width, HIDDEN), nn.Tanh(), nn.Dropout(0.3), nn.Linear(HIDDEN, width)
    network = nn.Sequential(*layers)
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=DECAY)

    @torch.no_grad()
    def scores(rows: Tensor) -> np.ndarray:
        network.eval()
        made = network(torch.cat([rows, torch.zeros(len(rows), width)], dim=1))
        network.train()
        return np.ascontiguousarray((users @ made.T).numpy(), dtype=np.float32)

    best = (-1.0, np.zeros(0))
    for epoch in range(1, EPOCHS + 1):
        for batch in rest[torch.randperm(len(rest))].split(BATCH):
            optimizer.zero_grad()
            side.loss(method, network, batch).backward()
            optimizer.step()
        if epoch % EVERY == 0:
            recall = mean_of("recall", top_items(scores(content[asked]), K), taken)
            if recall > best[0]:
                best = recall, scores(new)
    return best


def measure(drawn: Drawn) -> dict[str, float]:
    """Return the recall of each method, with the learning rate that is best on the held known items."""
    product = fit_arrivals(lambda some: drawn.scores[some], drawn.data, drawn.features, seed=0)
    scores = {"product": product.scores(drawn.scores)}
    for method in ("dropoutnet", "clcrec"):
        scores[method] = max((train(method, drawn, rate) for rate in RATES), key=lambda one: one[0])[1]
    return {method: mean_of("recall", top_items(found, K), drawn.truth) for method, found in scores.items()}


def main() -> None:
    """Run each world with each seed."""
    options = parser_of(__doc__).parse_args()
    for name in options.worlds:
        world = WORLDS[name](options.data)
        world = replace(world, content={feature: world.content[feature] for feature in world.plain})
        found = defaultdict[str, list[float]](list)
        for seed in range(options.first, options.first + options.seeds):
            drawn = draw(world, seed, options.threads)
            for method, value in measure(drawn).items():
                found[method].append(value)
            for method, values in found.items():
                ratio = np.mean(values) / np.mean(found["product"])
                print(f"{name}, seeds to {seed}, {method:<10} {np.mean(values):.4f}  {ratio:.2f}", flush=True)


if __name__ == "__main__":
    main()
