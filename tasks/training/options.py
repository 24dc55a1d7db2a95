"""Hyperparameters of models and, separate from them, the options of one training on a machine."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt

from tasks.errors import BadInput
from tasks.training.space import Choice, Real

if TYPE_CHECKING:
    from tasks.training.checkpoint import Checkpoints


class ModelConfig(BaseModel):
    """Hyperparameters of one model: frozen; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class GradientConfig(ModelConfig):
    """Hyperparameters that every recommender trained by the gradient loop has."""

    learning_rate: Annotated[PositiveFloat, Real(5e-4, 2e-2, log=True)] = Field(2e-3, le=1, description="of Adam")
    batch_size: Annotated[PositiveInt, Choice((2048, 4096, 8192))] = Field(4096, description="interactions per step")
    max_epochs: PositiveInt = Field(default=300, description="passes over the training interactions at most")
    evaluate_every: PositiveInt = Field(default=5, description="epochs between two validations")
    patience: PositiveInt = Field(default=5, description="validations without a better one before training stops")
    regularization: Annotated[NonNegativeFloat, Real(1e-5, 1e-1, log=True)] = Field(
        1e-2, description="weight of the squared norms of the rows of a batch"
    )


class Scorer(Protocol):
    """Anything that scores the whole catalogue for some users."""

    def scores(self, users: np.ndarray) -> np.ndarray:
        """Return (len(users), items) float32; higher is better."""
        ...


@dataclass(frozen=True)
class TrainingOptions:
    """How this machine trains; independent of hyperparameters.

    `validate` returns the metric that selects the best epoch (higher is better) and is called between epochs; without
    it a gradient model trains `max_epochs` epochs and keeps the last.
    """

    device: str = "cpu"
    threads: int = 1
    seed: int = 0
    progress: bool = False
    validate: Callable[[Scorer], float] | None = None
    checkpoints: Checkpoints | None = None  # where a killed training resumes; closed forms write none
    memory_gib: float = 8.0  # what a model may allocate at its peak; beyond it refuses before it starts

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise BadInput(f"threads {self.threads} found, expected at least 1")
        if not 0 < self.memory_gib < math.inf:  # also refuses NaN
            raise BadInput(f"memory of {self.memory_gib} GiB found, expected more than 0, and a finite number")


@dataclass(frozen=True)
class EpochRecord:
    """One epoch; `loss` and `valid` are None if they were not computed."""

    epoch: int
    loss: float | None
    valid: float | None
    seconds: float


def best_record(records: Sequence[EpochRecord]) -> EpochRecord:
    """The epoch whose state was kept: the first of the best on validation, or the last where there is none."""
    measured = [record for record in records if record.valid is not None]
    return max(measured, key=lambda record: record.valid or 0.0) if measured else records[-1]


def summarise_epochs(records: list[EpochRecord]) -> dict[str, object]:
    """How many epochs, which was kept, and its loss and validation metric (None for a closed form)."""
    best = best_record(records)
    return {"epochs": len(records), "best_epoch": best.epoch, "loss": best.loss, "valid": best.valid}
