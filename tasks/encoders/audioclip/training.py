"""Training a narrow AudioCLIP with the contrastive loss of its pairs (Guzhov et al. 2021), in the one gradient loop."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from tasks.encoders.audioclip.model import PAIRS, AudioCLIP
from tasks.encoders.audioclip.preprocess import normalise
from tasks.errors import BadInput
from tasks.progress import progress
from tasks.training import TrainingOptions, best_record, train
from tasks.training.checkpoint import Checkpoints
from tasks.training.optim import WarmupCosineAdamW

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """Hyperparameters of a training. All `epochs` are trained; the best one is kept."""

    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    seed: int

    @property
    def evaluate_every(self) -> int:
        """Every epoch is measured."""
        return 1

    @property
    def max_epochs(self) -> int:
        """All of them."""
        return self.epochs

    @property
    def patience(self) -> int:
        """More than there are validations: nothing stops early."""
        return self.epochs + 1


class Items:
    """Media of n items in memory, one array of pieces per item; each batch draws one piece.

    image: (1, side, side, 3) uint8. audio: (windows, bands, bins, frames) float16 decibels: the wavelets are frozen, so
    spectrograms are computed once, which takes a tenth of the time. text: (contexts, length) int64.
    """

    def __init__(self, media: Mapping[str, list[np.ndarray]]) -> None:
        self.media = media
        self.modalities = list(media)
        self.count = len(next(iter(media.values())))

    def batch(self, rows: np.ndarray, rng: np.random.Generator | None) -> dict[str, Tensor]:
        """Return the model's arguments for some items; without `rng` the first piece of each."""
        tensors = {}
        for modality, items in self.media.items():
            pieces = [items[row] for row in rows]
            chosen = np.stack([p[rng.integers(len(p)) if rng is not None else 0] for p in pieces])
            if modality == "image":
                if rng is not None:
                    flip = rng.random(len(chosen)) < 0.5
                    chosen[flip] = chosen[flip, :, ::-1]
                tensors["image"] = torch.from_numpy(normalise(chosen))
            elif modality == "audio":
                tensors["pictures"] = torch.from_numpy(chosen.astype(np.float32))[:, None]
            else:
                tensors["tokens"] = torch.from_numpy(chosen)
        return tensors


@dataclass(frozen=True)
class MediaBatch:
    """Media of `count` items as arguments of the model."""

    arguments: dict[str, Tensor]
    count: int

    def __len__(self) -> int:
        return self.count


class ContrastiveTraining(nn.Module):
    """What the loop asks of an AudioCLIP: batches of items, the loss of their pairs, and a tenth of the items held out.

    BadInput when there are too few items for a batch or for a loss on the held-out ones.
    """

    name = "audioclip"
    remedy = "lower --learning-rate"

    def __init__(self, model: AudioCLIP, items: Items, options: Options) -> None:
        super().__init__()
        self.model, self.items, self.config = model, items, options
        held = items.count // 10
        if held < 5 or items.count - held < options.batch:
            least = max(50, options.batch * 10 // 9 + 2)
            raise BadInput(f"{items.count} items found, expected at least {least} for a batch of {options.batch}")
        self.steps = (items.count - held) // options.batch  # of an epoch, whose last items are left out

    def begin(self, rng: np.random.Generator) -> None:
        """Hold out a tenth of the items."""
        order = rng.permutation(self.items.count)
        self.held, self.train_rows = np.sort(order[: len(order) // 10]), order[len(order) // 10 :]

    def batches(self, rng: np.random.Generator) -> Iterator[MediaBatch]:
        """Batches of one size, of items in random order."""
        size = self.config.batch
        rows = rng.permutation(self.train_rows)[: self.steps * size].reshape(self.steps, size)
        for part in progress(rows, label="train audioclip", total=self.steps, unit="step"):
            yield MediaBatch(self.items.batch(part, rng), size)

    def loss(self, batch: MediaBatch) -> Tensor:
        """Symmetric cross-entropy of the cosines, summed over pairs of modalities."""
        loss: Tensor = self.model(**batch.arguments).loss
        return loss

    def optimizer(self) -> WarmupCosineAdamW:
        """AdamW over all parameters, with a schedule over all steps."""
        config = self.config
        steps = self.steps * config.epochs
        return WarmupCosineAdamW(self.model.parameters(), config.learning_rate, config.weight_decay, steps)

    def validation(self, options: TrainingOptions) -> float:
        """The held-out loss, negated: higher is better."""
        del options
        metrics = self.evaluate()
        log.info("held out: %s", ", ".join(f"{name} {value:.3f}" for name, value in metrics.items()))
        return -metrics["loss"]

    def evaluate(self) -> dict[str, float]:
        """Loss and recall on the held-out items."""
        return evaluate(self.model, self.items, self.held)


def fit(model: AudioCLIP, items: Items, options: Options, checkpoints: Checkpoints | None = None) -> dict[str, float]:
    """Train in place, keep the epoch with the lowest loss on a tenth of the items held out; returns what it reached.

    The result has the held-out loss, the epoch and, per pair, recall@1 and recall@5 of finding the partner among the
    held-out items. The same seed gives the same weights on the same number of torch's threads.
    """
    training, threads = ContrastiveTraining(model, items, options), torch.get_num_threads()
    records = train(training, TrainingOptions(threads=threads, seed=options.seed, checkpoints=checkpoints))
    return training.evaluate() | {"epoch": float(best_record(records).epoch)}


@torch.no_grad()
def evaluate(model: AudioCLIP, items: Items, rows: np.ndarray) -> dict[str, float]:
    """Return the loss, and recall@1 and recall@5 per pair, averaged over both directions, over `rows`."""
    model.eval()
    parts = [model(**items.batch(rows[start : start + 32], None)).features for start in range(0, len(rows), 32)]
    features = {modality: torch.cat([part[modality] for part in parts]) for modality in items.modalities}
    metrics: dict[str, float] = {}
    total = 0.0
    for pair, (x, y, _) in PAIRS.items():
        if x in features and y in features:
            similarity = features[x] @ features[y].T
            total += float(torch.nn.functional.cross_entropy(20.0 * similarity, torch.arange(len(rows))))
            for k in (1, 5):
                metrics[f"{pair}_recall@{k}"] = (recall(similarity, k) + recall(similarity.T, k)) / 2
    return {"loss": total} | metrics


def recall(similarity: Tensor, k: int) -> float:
    """Return the share of rows whose own column is among their k largest."""
    right = torch.arange(len(similarity))[:, None]
    return float((similarity.topk(k, dim=1).indices == right).any(1).float().mean())
