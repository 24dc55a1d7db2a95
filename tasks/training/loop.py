"""The one gradient loop: shuffles, draws negatives, steps, validates, stops early and restores the best state.

It knows models by their `loss`. Selection is on validation only; test is never seen here.
"""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from tasks.errors import BadInput, Diverged
from tasks.progress import progress
from tasks.training.allocation import kept_memory
from tasks.training.options import EpochRecord, GradientConfig, Scorer, TrainingOptions
from tasks.training.sampling import NegativeSampler

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Batch:
    """Row k says: user `users[k]` took item `positives[k]` and not `negatives[k]`. All (n,) int64."""

    users: Tensor
    positives: Tensor
    negatives: Tensor


class Trainable(Scorer, Protocol):
    """What the loop asks of a model; every `GradientModel` has it."""

    name: ClassVar[str]

    def loss(self, batch: Batch) -> Tensor: ...
    def start_epoch(self, rng: np.random.Generator) -> None: ...
    def parameters(self) -> Iterator[torch.nn.Parameter]: ...
    def train(self, mode: bool = True) -> object: ...
    def state_dict(self) -> Mapping[str, Any]: ...
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> object: ...


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Run the block on so many threads; the same count gives the same bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def train(
    model: Trainable, config: GradientConfig, interactions: sparse.csr_matrix, options: TrainingOptions
) -> list[EpochRecord]:
    """Train `model` in place on (users, items) `interactions` and leave it with its best state; one record per epoch.

    Diverged when the loss stops being finite. The same seed, threads and device give the same result.
    """
    with torch_threads(options.threads), kept_memory():
        return _train(model, config, interactions, options)


def _train(
    model: Trainable, config: GradientConfig, interactions: sparse.csr_matrix, options: TrainingOptions
) -> list[EpochRecord]:
    rng = np.random.default_rng(options.seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate, fused=True)
    sampler = NegativeSampler(interactions)
    pairs = _pairs(interactions, sampler)
    best = _Best(config.patience)
    records: list[EpochRecord] = []
    epochs = range(1, config.max_epochs + 1)
    for epoch in progress(epochs, label=f"train {model.name}", unit="epoch") if options.progress else epochs:
        start = time.perf_counter()
        model.train()
        model.start_epoch(rng)
        loss = _epoch(model, optimizer, _batches(pairs, sampler, config.batch_size, rng, options.device))
        if not np.isfinite(loss):
            raise Diverged(
                f"loss of {model.name} was {loss} in epoch {epoch}, expected a finite number: lower its learning_rate"
            )
        valid = _validate(model, options) if epoch % config.evaluate_every == 0 or epoch == config.max_epochs else None
        records.append(EpochRecord(epoch, loss, valid, time.perf_counter() - start))
        if valid is not None and best.stop(epoch, valid, model):
            break
    best.restore(model)
    optimizer.zero_grad(set_to_none=True)
    model.train(False)
    return records


def _epoch(model: Trainable, optimizer: torch.optim.Optimizer, batches: Iterator[Batch]) -> float:
    """Mean loss per interaction over one pass. Sums stay detached tensors: no graph is kept, no GPU waited for."""
    total, count = torch.zeros((), dtype=torch.float64), 0  # 32 bits lose small terms after millions of interactions
    for batch in batches:
        optimizer.zero_grad(set_to_none=True)
        loss = model.loss(batch)
        loss.backward()
        optimizer.step()
        total = total.to(loss.device) + loss.detach() * len(batch.users)
        count += len(batch.users)
    return float(total) / count


def _pairs(interactions: sparse.csr_matrix, sampler: NegativeSampler) -> tuple[np.ndarray, np.ndarray]:
    """Users and items of all interactions that can be compared with an item not taken."""
    users = np.repeat(np.arange(interactions.shape[0]), np.diff(interactions.indptr))
    items = interactions.indices.astype(np.int64)
    usable = sampler.free[users] > 0
    if not usable.any():
        raise BadInput("every user has taken every item, expected users with something left to compare with")
    if not usable.all():
        log.info("%d users have taken every item and are left out of the gradient steps", (sampler.free <= 0).sum())
        users, items = users[usable], items[usable]
    return users, items


def _batches(
    pairs: tuple[np.ndarray, np.ndarray], sampler: NegativeSampler, size: int, rng: np.random.Generator, device: str
) -> Iterator[Batch]:
    users, items = pairs
    order = rng.permutation(len(users))
    columns = (users[order], items[order], sampler.sample(users, rng)[order])
    on_device = [torch.from_numpy(column).to(device) for column in columns]  # once per epoch, not per step
    for start in range(0, len(users), size):
        yield Batch(*(column[start : start + size] for column in on_device))


def _validate(model: Trainable, options: TrainingOptions) -> float | None:
    if options.validate is None:
        return None
    model.train(False)
    valid = float(options.validate(model))
    if not np.isfinite(valid):
        raise Diverged(f"validation of {model.name} gave {valid}, expected a finite number")
    return valid


class _Best:
    """The best state so far, and how long ago it was."""

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.valid = -np.inf
        self.since = 0
        self.state: Mapping[str, Any] | None = None

    def stop(self, epoch: int, valid: float, model: Trainable) -> bool:
        log.debug("%s epoch %d: validation %.6f", model.name, epoch, valid)
        if valid > self.valid:
            self.valid, self.since, self.state = valid, 0, copy.deepcopy(dict(model.state_dict()))
        else:
            self.since += 1
        return self.since >= self.patience

    def restore(self, model: Trainable) -> None:
        if self.state is not None:
            model.load_state_dict(self.state)
