"""The one gradient loop: steps, validates, stops early, restores the best state, and resumes after a kill.

It asks a model for its batches, its loss and its optimizer, and knows nothing else of it: pairs of items, sequences and
media train here as interactions do. Selection is on validation only; test is never seen here.
"""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Iterator, Mapping, Sized
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from tasks.errors import Diverged
from tasks.progress import progress
from tasks.training.allocation import keep_memory
from tasks.training.checkpoint import Checkpoints, pack_optimizer, unpack_optimizer
from tasks.training.optim import Optimizer
from tasks.training.options import EpochRecord, TrainingOptions

log = logging.getLogger(__name__)
B = TypeVar("B", bound=Sized)


class Schedule(Protocol):
    """How long a model trains; every `GradientConfig` says it."""

    @property
    def max_epochs(self) -> int: ...
    @property
    def evaluate_every(self) -> int: ...
    @property
    def patience(self) -> int: ...


class Trainable(Protocol[B]):
    """What the loop asks of a model with batches of type B; `nn.Module` has the last three methods."""

    @property
    def name(self) -> str: ...
    @property
    def remedy(self) -> str:
        """What to do against a loss that is not finite."""
        ...

    @property
    def config(self) -> Schedule: ...
    def begin(self, rng: np.random.Generator) -> None:
        """Prepare what batches are drawn from; what is drawn here holds for the whole training, also a resumed one."""

    def batches(self, rng: np.random.Generator) -> Iterator[B]:
        """The batches of one epoch; whatever else changes from epoch to epoch is drawn here too."""
        ...

    def loss(self, batch: B) -> Tensor:
        """Scalar to be minimised, a mean over the batch."""
        ...

    def optimizer(self) -> Optimizer: ...
    def validation(self, options: TrainingOptions) -> float | None:
        """The score by which the best epoch is selected, higher is better; None: there is none, keep the last epoch."""
        ...

    def train(self, mode: bool = True) -> object: ...
    def state_dict(self) -> Mapping[str, Any]: ...
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> object: ...


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Run the block on `count` threads; the same count gives bit-equal results."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def train(model: Trainable[B], options: TrainingOptions) -> list[EpochRecord]:
    """Train `model` in place and leave it with its best state; one record per epoch.

    Diverged when the loss stops being finite. The same seed, threads and device give the same result, with
    `options.checkpoints` also in two or more processes one after the other.
    """
    with torch_threads(options.threads), keep_memory():
        training = _Training(model, options)
        training.run()
        return training.records


class _Training:
    """What an epoch changes: model, optimizer, random numbers, the best state so far and the records."""

    def __init__(self, model: Trainable[B], options: TrainingOptions) -> None:
        self.model, self.options, self.config = model, options, model.config
        self.rng = np.random.default_rng(options.seed)
        model.begin(self.rng)
        self.optimizer = model.optimizer()
        self.best = _Best()
        self.records: list[EpochRecord] = []

    def run(self) -> None:
        """All epochs that are left, then the best state."""
        if self.options.checkpoints is not None:
            self._resume(self.options.checkpoints)
        epochs = range(len(self.records) + 1, self.config.max_epochs + 1)
        if self._stops():  # it was killed after its last epoch
            epochs = range(0)
        label = f"train {self.model.name}"
        for epoch in progress(epochs, label=label, unit="epoch") if self.options.progress else epochs:
            self._epoch(epoch)
            if self.options.checkpoints is not None:
                self._save(self.options.checkpoints)
            if self._stops():
                break
        self.best.restore(self.model)
        self.optimizer.zero_grad(set_to_none=True)
        self.model.train(False)

    def _stops(self) -> bool:
        return self.best.since >= self.config.patience

    def _epoch(self, epoch: int) -> None:
        start = time.perf_counter()
        self.model.train()
        loss = run_epoch(self.model, self.optimizer, self.model.batches(self.rng))
        if not np.isfinite(loss):
            raise Diverged(
                f"loss of {self.model.name} was {loss} in epoch {epoch}, expected a finite number: {self.model.remedy}"
            )
        valid = None
        if epoch % self.config.evaluate_every == 0 or epoch == self.config.max_epochs:
            self.model.train(False)
            valid = self.model.validation(self.options)
        if valid is not None:
            if not np.isfinite(valid):
                raise Diverged(f"validation of {self.model.name} gave {valid}, expected a finite number")
            log.debug("%s epoch %d: validation %.6f", self.model.name, epoch, valid)
            self.best.note(valid, self.model)
        self.records.append(EpochRecord(epoch, loss, valid, time.perf_counter() - start))

    def _save(self, checkpoints: Checkpoints) -> None:
        optimizer, numbers = pack_optimizer(self.optimizer)
        groups = {"model": self.model.state_dict(), "best": self.best.state or {}, "optimizer": optimizer}
        tensors = {f"{group}/{name}": tensor for group, named in groups.items() for name, tensor in named.items()}
        values = {
            "optimizer": numbers,
            "best": None if self.best.state is None else {"valid": self.best.valid, "since": self.best.since},
            "rng": self.rng.bit_generator.state,
            "records": [asdict(record) for record in self.records],
        }
        checkpoints.save(tensors, values)

    def _resume(self, checkpoints: Checkpoints) -> None:
        saved = checkpoints.load()
        if saved is None:
            return
        tensors, values = saved
        groups: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "optimizer": {}}
        for key, tensor in tensors.items():
            group, _, name = key.partition("/")
            groups[group][name] = tensor
        self.model.load_state_dict(groups["model"])
        unpack_optimizer(self.optimizer, groups["optimizer"], values["optimizer"])
        if values["best"] is not None:
            self.best.state, self.best.valid = groups["best"], values["best"]["valid"]
            self.best.since = values["best"]["since"]
        self.rng.bit_generator.state = values["rng"]
        self.records = [EpochRecord(**record) for record in values["records"]]
        log.info("%s resumes after epoch %d of at most %d", self.model.name, len(self.records), self.config.max_epochs)


def run_epoch(model: Trainable[B], optimizer: Optimizer, batches: Iterator[B]) -> float:
    """Mean loss per row over one pass. Sums stay detached tensors: no graph is kept, no GPU waited for."""
    total, count = torch.zeros((), dtype=torch.float64), 0  # 32 bits lose small terms after millions of interactions
    for batch in batches:
        optimizer.zero_grad(set_to_none=True)
        loss = model.loss(batch)
        loss.backward()
        optimizer.step()
        total = total.to(loss.device) + loss.detach() * len(batch)
        count += len(batch)
    return float(total) / count


class _Best:
    """The best state so far, and how many validations ago it was."""

    def __init__(self) -> None:
        self.valid = -np.inf
        self.since = 0
        self.state: Mapping[str, Any] | None = None

    def note(self, valid: float, model: Trainable[B]) -> None:
        """Keep the state of `model` if it is better than all before."""
        if valid > self.valid:
            self.valid, self.since, self.state = valid, 0, copy.deepcopy(dict(model.state_dict()))
        else:
            self.since += 1

    def restore(self, model: Trainable[B]) -> None:
        """Give `model` the best state; without a validation it keeps the last."""
        if self.state is not None:
            model.load_state_dict(self.state)
