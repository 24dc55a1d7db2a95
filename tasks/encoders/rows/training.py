"""Trains the autoencoder and the VAE of a table in the one gradient loop."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from tasks.encoders.rows.network import kl_divergence, sample, squared_error
from tasks.errors import BadInput
from tasks.training import TrainingOptions
from tasks.training.optim import Adam

log = logging.getLogger(__name__)
LEAST = 50  # rows: a tenth is held out
ACTIVE = 0.01  # variance of the means from which a dimension is used (Burda, Grosse, Salakhutdinov 2016)


@dataclass(frozen=True)
class Options:
    """Hyperparameters of a training. All `epochs` are trained; the best one on held-out rows is kept.

    kl_weight: of the divergence beside half of the squared error; 1 is the evidence lower bound (ELBO) itself.
    """

    width: int
    hidden: tuple[int, ...]
    epochs: int
    batch: int
    learning_rate: float
    seed: int
    kl_weight: float = 0.0

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


@dataclass(frozen=True)
class RowBatch:
    """Rows (n, inputs), and the noise (n, latent) of their latent vectors; drawn with the batch, so that it resumes."""

    rows: Tensor
    noise: Tensor

    def __len__(self) -> int:
        return len(self.rows)


class Network(Protocol):
    """What is trained: `nn.Module`s that encode and decode."""

    latent: int

    def encode(self, rows: Tensor) -> tuple[Tensor, Tensor | None]: ...
    def decode(self, latent: Tensor) -> Tensor: ...
    def parameters(self) -> Iterator[nn.Parameter]: ...
    def state_dict(self) -> dict[str, Tensor]: ...


class RowTraining(nn.Module):
    """What the loop asks of a network of rows: batches, the loss, and the loss of a tenth of the rows held out."""

    remedy = "lower --learning-rate, or load the table with --scale standard"

    def __init__(self, name: str, network: Network, rows: np.ndarray, options: Options) -> None:
        super().__init__()
        if len(rows) < LEAST:
            raise BadInput(f"{len(rows)} rows found, expected at least {LEAST} to train on")
        self.name, self.network, self.config = name, network, options
        self._rows = torch.from_numpy(rows)

    @property
    def count(self) -> int:
        """Number of rows, with those held out."""
        return len(self._rows)

    def begin(self, rng: np.random.Generator) -> None:
        """Hold out a tenth of the rows."""
        order, held = rng.permutation(len(self._rows)), len(self._rows) // 10
        self.held, self.train_rows = np.sort(order[:held]), order[held:]

    def batches(self, rng: np.random.Generator) -> Iterator[RowBatch]:
        """All rows in random order, each with noise of its own."""
        order = rng.permutation(self.train_rows)
        for start in range(0, len(order), self.config.batch):
            part = order[start : start + self.config.batch]
            noise = rng.standard_normal((len(part), self.network.latent), dtype=np.float32)
            yield RowBatch(self._inputs(part), torch.from_numpy(noise))

    def _inputs(self, places: np.ndarray) -> Tensor:
        """What the network is given for some rows."""
        return self._rows[places]

    def loss(self, batch: RowBatch) -> Tensor:
        """Half of the squared error, and the weighted divergence: with weight 1 the negative ELBO."""
        error, divergence = self._terms(batch.rows, batch.noise)
        return (error + self.config.kl_weight * divergence).mean()

    def _terms(self, rows: Tensor, noise: Tensor | None) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.network.encode(rows)
        if log_variance is None:
            return squared_error(rows, self.network.decode(mean)), torch.zeros(len(rows))
        latent = mean if noise is None else sample(mean, log_variance, noise)
        return squared_error(rows, self.network.decode(latent)), kl_divergence(mean, log_variance)

    def optimizer(self) -> Adam:
        """Adam over all parameters."""
        return Adam(self.network.parameters(), self.config.learning_rate)

    def validation(self, options: TrainingOptions) -> float:
        """The loss of the held-out rows, negated, without noise: higher is better."""
        del options
        return -float(self.measure()["loss"])

    @torch.no_grad()
    def measure(self) -> dict[str, Any]:
        """Loss, mean squared error of a number, divergence, and how many dimensions are used, of the held-out rows.

        explained: the share of the rows' variance that the reconstruction has.
        """
        rows = self._inputs(self.held)
        error, divergence = self._terms(rows, None)
        mean, _ = self.network.encode(rows)
        spread = float(((rows - rows.mean(dim=0)) ** 2).sum())
        return {
            "loss": float((error + self.config.kl_weight * divergence).mean()),
            "squared_error": float(2 * error.mean()) / rows[0].numel(),
            "divergence": float(divergence.mean()),
            "explained": 1 - float(2 * error.sum()) / spread if spread else 0.0,
            "used_dimensions": int((mean.var(dim=0) > ACTIVE).sum()),
        }
