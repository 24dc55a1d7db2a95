"""Training a narrow AudioCLIP with the contrastive loss of its pairs (Guzhov et al. 2021)."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tasks.encoders.audioclip.model import PAIRS, AudioCLIP
from tasks.encoders.audioclip.preprocess import normalise
from tasks.errors import BadInput, TaskError
from tasks.progress import progress

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """How to train."""

    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    seed: int


class Items:
    """Media of n items in memory, one array of pieces an item, of which each use draws one.

    image: (1, side, side, 3) uint8. audio: (windows, bands, bins, frames) float16 decibels: the wavelets are held
    fixed, so their pictures are made once, a tenth of the work. text: (contexts, length) int64.
    """

    def __init__(self, media: Mapping[str, list[np.ndarray]]) -> None:
        self.media = media
        self.modalities = list(media)
        self.count = len(next(iter(media.values())))

    def batch(self, rows: np.ndarray, rng: np.random.Generator | None) -> dict[str, Tensor]:
        """Arguments of the model for some items; without `rng` the first piece of each."""
        found = {}
        for modality, items in self.media.items():
            pieces = [items[row] for row in rows]
            chosen = np.stack([p[rng.integers(len(p)) if rng is not None else 0] for p in pieces])
            if modality == "image":
                if rng is not None:
                    flip = rng.random(len(chosen)) < 0.5
                    chosen[flip] = chosen[flip, :, ::-1]
                found["image"] = torch.from_numpy(normalise(chosen))
            elif modality == "audio":
                found["pictures"] = torch.from_numpy(chosen.astype(np.float32))[:, None]
            else:
                found["tokens"] = torch.from_numpy(chosen)
        return found


def fit(model: AudioCLIP, items: Items, options: Options) -> dict[str, float]:
    """Train in place, keep the epoch with the lowest loss on a tenth of the items held out; returns what it reached.

    The result has the held-out loss and, per pair, recall@1 and recall@5 of finding the partner among the held-out
    items. The same seed gives the same weights on the same number of threads.
    """
    rng = np.random.default_rng(options.seed)
    order = rng.permutation(items.count)
    held, train = np.sort(order[: items.count // 10]), order[items.count // 10 :]
    if len(held) < 5 or len(train) < options.batch:
        least = max(50, options.batch * 10 // 9 + 2)
        raise BadInput(f"{items.count} items found, expected at least {least} for a batch of {options.batch}")
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay)
    each = (
        len(train) // options.batch
    )  # steps of an epoch; what is left over is left out, and is other items in the next
    steps = each * options.epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda done: rise_and_fall(done, steps))
    best: dict[str, float] = {}
    state: dict[str, Tensor] = {}
    for epoch in range(1, options.epochs + 1):
        model.train()
        batches = rng.permutation(train)[: each * options.batch].reshape(each, options.batch)
        shown = progress(batches, label=f"epoch {epoch}", total=each, unit="step")
        losses = [step(model, items.batch(rows, rng), optimizer, schedule) for rows in shown]
        found = evaluate(model, items, held)
        figures = ", ".join(f"{name} {value:.3f}" for name, value in found.items())
        log.info("epoch %d of %d: loss %.4f, held out %s", epoch, options.epochs, np.mean(losses), figures)
        if not best or found["loss"] < best["loss"]:
            best, state = found | {"epoch": float(epoch)}, copy.deepcopy(model.state_dict())
    model.load_state_dict(state)
    return best


def rise_and_fall(done: int, steps: int) -> float:
    """Share of the learning rate: up in a line over the first tenth of the steps, then down to 0 as a cosine."""
    warm = max(1, steps // 10)
    if done < warm:
        return (done + 1) / warm
    return 0.5 * (1.0 + math.cos(math.pi * (done - warm) / max(1, steps - warm)))


def step(
    model: AudioCLIP,
    batch: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> float:
    """One step; TaskError when the loss is not finite."""
    optimizer.zero_grad(set_to_none=True)
    loss = model(**batch).loss
    if not torch.isfinite(loss):
        raise TaskError(f"the loss became {loss.item()}, expected a finite one: lower --learning-rate")
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    schedule.step()
    return float(loss.item())


@torch.no_grad()
def evaluate(model: AudioCLIP, items: Items, rows: np.ndarray) -> dict[str, float]:
    """Loss and recall@1 and @5 per pair, both directions averaged, over `rows`."""
    model.eval()
    parts = [model(**items.batch(rows[start : start + 32], None)).features for start in range(0, len(rows), 32)]
    features = {modality: torch.cat([part[modality] for part in parts]) for modality in items.modalities}
    found: dict[str, float] = {}
    total = 0.0
    for pair, (x, y, _) in PAIRS.items():
        if x in features and y in features:
            similarity = features[x] @ features[y].T
            total += float(torch.nn.functional.cross_entropy(20.0 * similarity, torch.arange(len(rows))))
            for k in (1, 5):
                found[f"{pair}_recall@{k}"] = (recall(similarity, k) + recall(similarity.T, k)) / 2
    return {"loss": total} | found


def recall(similarity: Tensor, k: int) -> float:
    """Share of rows whose own column is among their k largest."""
    right = torch.arange(len(similarity))[:, None]
    return float((similarity.topk(k, dim=1).indices == right).any(1).float().mean())
