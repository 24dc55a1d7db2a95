"""Models trained by the gradient loop whose score is the product of a user's and an item's vector."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from tasks.data import Dataset
from tasks.errors import TaskError
from tasks.models.base import Model
from tasks.models.layers.kept import Kept
from tasks.models.serving import Factors, Serving
from tasks.models.solvers.fold_in import calibrate
from tasks.training import (
    Batch,
    EpochRecord,
    GradientConfig,
    ModelConfig,
    TrainingOptions,
    Triplets,
    best_record,
    train,
)
from tasks.training.device import require_device
from tasks.training.optim import Adam


@dataclass(frozen=True)
class Representations:
    """`users` (U, d), `items` (I, d) and an optional `bias` (I,): score = users items' + bias."""

    users: Tensor
    items: Tensor
    bias: Tensor | None = None


class GradientModel(nn.Module, Model):
    """A module with `loss(batch)`, `representations()` and, if needed, `initialise(generator)` and `start_epoch(rng)`.

    What is derived from the data (graphs, standardised features) belongs into non-persistent buffers: it moves with the
    module and is left out of the state. What can be tuned has its range in the annotation of its field.
    """

    config: GradientConfig
    NORMAL: ClassVar[tuple[str, ...]] = ()  # parameters that begin normal with a deviation of 0.1
    ZERO: ClassVar[tuple[str, ...]] = ()  # those that begin as zeros, though they are matrices
    remedy = "lower its learning_rate"

    def __init__(self, config: GradientConfig, data: Dataset) -> None:
        nn.Module.__init__(self)
        Model.__init__(self, config, data)
        self._known = Kept()
        self._triplets: Triplets | None = None

    def initialise(self, generator: torch.Generator) -> None:
        """Set all parameters to where training begins: Xavier-uniform matrices, no biases, then NORMAL and ZERO."""
        for parameter in self.parameters():
            if parameter.ndim > 1:
                nn.init.xavier_uniform_(parameter, generator=generator)
            else:
                nn.init.zeros_(parameter)
        for name in self.NORMAL:
            nn.init.normal_(getattr(self, name), std=0.1, generator=generator)
        for name in self.ZERO:
            nn.init.zeros_(getattr(self, name))

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """Return the scalar loss, a mean over the batch."""

    @abstractmethod
    def representations(self) -> Representations:
        """Return the vectors of all users and items for the current parameters."""

    def start_epoch(self, rng: np.random.Generator) -> None:
        """Draw what is random per epoch (edge dropout, augmented views); most models draw nothing."""

    def begin(self, rng: np.random.Generator) -> None:
        """Prepare triplets; nothing is drawn for the whole training."""
        del rng
        self._triplets = Triplets(self.data.train, self.config.batch_size)

    def batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        """Every training interaction once, with a negative; a model that learns from something else overrides this."""
        self.start_epoch(rng)
        if self._triplets is None:
            raise TaskError(f"model {self.name} was asked for batches, expected begin() before")
        return self._triplets.draw(rng, next(self.parameters()).device)

    def optimizer(self) -> Adam:
        """Adam over all parameters."""
        return Adam(self.parameters(), lr=self.config.learning_rate)

    def validation(self, options: TrainingOptions) -> float | None:
        """What `options.validate` says of the scores."""
        return None if options.validate is None else float(options.validate(self))

    def _fit(self, options: TrainingOptions) -> list[EpochRecord]:
        """Train by the gradient loop; the same seed and threads give the same parameters to the bit on a CPU."""
        device = require_device(options.device)
        self.initialise(torch.Generator().manual_seed(options.seed))
        self.to(device)
        self.fitted = True  # for the validations in between
        records = train(self, options)
        self._triplets = None
        if torch.device(device).type != "cpu":
            self.to("cpu")
        self.train(False)
        return records

    def settle(self, records: Sequence[EpochRecord]) -> ModelConfig:
        """As many epochs as the best one had behind it: with more rows, more steps in proportion."""
        return self.config.model_copy(update={"max_epochs": best_record(records).epoch})

    def _final(self) -> Representations:
        """Vectors of all; kept until parameters may change (`Kept`), so that none is ever stale."""
        known: Representations = self._compute() if self.training else self._known(self._compute)
        return known

    @torch.no_grad()
    def _compute(self) -> Representations:
        final = self.representations()
        bias = None if final.bias is None else final.bias.detach()
        return Representations(final.users.detach(), final.items.detach(), bias)

    def _scores(self, users: np.ndarray) -> np.ndarray:
        final = self._final()
        with torch.no_grad():
            rows = final.users[torch.from_numpy(users).to(final.users.device)]
            scores = rows @ final.items.T if final.bias is None else torch.addmm(final.bias, rows, final.items.T)
        return np.asarray(scores.cpu().numpy(), dtype=np.float32)

    def item_vectors(self) -> np.ndarray:
        """Return (items, d) float32, the item vectors of the score."""
        return np.asarray(self._final().items.cpu().numpy(), dtype=np.float32)

    def serving(self) -> Serving:
        """Return both vectors and the bias; the fold-in of new users is calibrated on known users."""
        final = self._final()
        users, items = (np.asarray(side.cpu().numpy(), dtype=np.float32) for side in (final.users, final.items))
        none = np.zeros(len(items), dtype=np.float32)
        bias = none if final.bias is None else np.asarray(final.bias.cpu().numpy(), dtype=np.float32)
        return Factors(users, items, bias, calibrate(users, items, bias, self.data.train))

    def state(self) -> dict[str, Tensor]:
        """Return the parameters by name."""
        return {name: tensor.detach().cpu().contiguous() for name, tensor in self.state_dict().items()}

    def _set_state(self, state: Mapping[str, Tensor]) -> None:
        self._check_state(state, {name: tuple(tensor.shape) for name, tensor in self.state_dict().items()})
        self.load_state_dict(dict(state))
        self.train(False)
