"""What every recommender is: built from a config and a dataset, fitted, asked for scores, saved as tensors."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np
import torch
from pydantic import ValidationError
from threadpoolctl import threadpool_limits

from tasks.data import Dataset
from tasks.errors import BadInput, Corrupt, Diverged, TaskError, describe_invalid
from tasks.models.serving import Serving
from tasks.training.device import usable
from tasks.training.options import EpochRecord, ModelConfig, TrainingOptions
from tasks.training.space import Space, declared_space


class Model(ABC):
    """A recommender over the users and items of one `Dataset`, known by their row and column numbers.

    Subclasses set `name` and `Config`, whose annotations say where `tune` looks, and fill in `_solve`, `_scores`,
    `serving`, `state` and `_set_state`. Models receive arrays, never paths, and whatever they derive from the data they
    rebuild. Only `train`, `sequences` and `features` of `data` may be learned from.
    """

    name: ClassVar[str]
    Config: ClassVar[type[ModelConfig]]
    uses_content: ClassVar[bool] = False  # whether scores depend on `data.features`
    SEARCH: ClassVar[Space] = {}  # where `tune` looks; the defaults are within
    remedy: ClassVar[str] = "raise its relative_l2"  # against scores that are not finite

    config: ModelConfig
    data: Dataset
    fitted: bool

    def __init__(self, config: ModelConfig, data: Dataset) -> None:
        if not isinstance(config, self.Config):
            raise BadInput(
                f"model {self.name} was given a {type(config).__qualname__}, expected {self.Config.__qualname__}"
            )
        self.config = config
        self.data = data
        self.fitted = False

    def __init_subclass__(cls) -> None:
        if "Config" in cls.__dict__:
            cls.SEARCH = declared_space(cls.Config)

    @classmethod
    def configure(cls, values: Mapping[str, object]) -> ModelConfig:
        """`values` on top of the defaults; BadInput in one sentence for unknown keys and impossible values."""
        try:
            return cls.Config.model_validate(dict(values))
        except ValidationError as error:
            what = describe_invalid(error, cls.Config.model_fields, "hyper-parameter")
            raise BadInput(f"model {cls.name}: {what}") from error

    @classmethod
    def space_of(cls, config: ModelConfig) -> Space:
        """Where `tune` looks: SEARCH, and of a model that holds others where these look, whichever `config` names."""
        del config
        return cls.SEARCH

    @classmethod
    def defaults_of(cls, config: ModelConfig) -> ModelConfig:
        """A point of `space_of(config)` to begin with: the defaults, also of models that `config` names."""
        del config
        return cls.configure({})

    def fit(self, options: TrainingOptions) -> list[EpochRecord]:
        """Learn from `data.train` (and features); one record per epoch, a single one for a closed form.

        BadInput for a device that is not there, though a closed form would not use it; Diverged where a figure is none.
        """
        usable(options.device)
        with threadpool_limits(options.threads, "blas"):
            return self._fit(options)

    def _fit(self, options: TrainingOptions) -> list[EpochRecord]:
        """As `fit`, with BLAS on no more than `options.threads` threads. What learns in epochs overrides it."""
        start = time.perf_counter()
        valid = self._solve(options)
        self.fitted = True
        return [EpochRecord(epoch=1, loss=None, valid=valid, seconds=time.perf_counter() - start)]

    def _solve(self, options: TrainingOptions) -> float | None:
        """Learn in one go; the metric on validation, where it was asked for it."""
        raise NotImplementedError

    def scores(self, users: np.ndarray) -> np.ndarray:
        """Scores of the whole catalogue, seen items included: (len(users), items) float32, finite, higher is better.

        `users` are row numbers of the dataset in any order, repeats allowed. BadInput for a row that does not exist,
        TaskError when the model has not been fitted, Diverged when it has diverged.
        """
        if not self.fitted:
            raise TaskError(
                f"model {self.name} has learned nothing yet, expected fit() or load_state() before scores()"
            )
        found = self._scores(self._rows(users))
        if not np.isfinite(found).all():
            raise Diverged(f"model {self.name} gives scores that are not finite, expected finite ones: {self.remedy}")
        return found

    @abstractmethod
    def _scores(self, users: np.ndarray) -> np.ndarray:
        """(len(users), items) float32 for checked row numbers."""

    def item_vectors(self) -> np.ndarray | None:
        """(items, d) float32 whose cosines say how alike two items are, or None for a model that has no such thing."""
        return None

    @abstractmethod
    def serving(self) -> Serving:
        """What a release needs to score as this fitted model does, and for new users, without dataset and features."""

    @abstractmethod
    def state(self) -> dict[str, torch.Tensor]:
        """What was learned, as contiguous tensors on the CPU; enough, with config and data, to score the same."""

    def load_state(self, state: Mapping[str, torch.Tensor]) -> Self:
        """Take over what `state()` gave under the same config and data; Corrupt when names or shapes differ."""
        self._set_state(state)
        self.fitted = True
        return self

    @abstractmethod
    def _set_state(self, state: Mapping[str, torch.Tensor]) -> None:
        """Check and take over a state."""

    def _checked(self, state: Mapping[str, torch.Tensor], expected: Mapping[str, tuple[int, ...]]) -> None:
        found = {name: tuple(tensor.shape) for name, tensor in state.items()}
        if found != dict(expected):
            raise Corrupt(
                f"state of model {self.name} holds {found}, expected {dict(expected)} for this config and dataset"
            )

    def _rows(self, users: np.ndarray) -> np.ndarray:
        rows = np.asarray(users)
        if rows.ndim != 1 or not np.issubdtype(rows.dtype, np.integer):
            raise BadInput(f"users of shape {rows.shape} and type {rows.dtype} found, expected one axis of row numbers")
        count = self.data.train.shape[0]
        wrong = rows[(rows < 0) | (rows >= count)]
        if len(wrong):
            raise BadInput(f"user {wrong[0]} found, expected row numbers from 0 to {count - 1}")
        return np.array(rows, dtype=np.int64, order="C")  # torch takes none that is reversed or read-only
