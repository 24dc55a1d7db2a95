"""Base class of all recommenders: built from a config and a dataset, fitted, then used for scores; saved as tensors."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

import numpy as np
import torch
from pydantic import ValidationError
from threadpoolctl import threadpool_limits

from tasks.data import Dataset
from tasks.errors import BadInput, Corrupt, Diverged, TaskError, describe_invalid
from tasks.models.serving import Serving
from tasks.training.device import require_device
from tasks.training.options import EpochRecord, ModelConfig, TrainingOptions
from tasks.training.space import Space, declared_space


class Model(ABC):
    """A recommender for the users and items of one `Dataset`, which are row and column numbers.

    Subclasses set `name` and `Config`, whose annotations say where `tune` looks, and fill in `_solve`, `_scores`,
    `serving`, `state` and `_set_state`. Models receive arrays, never paths, and whatever they derive from the data they
    rebuild. Only `train`, `sequences` and `features` of `data` may be learned from.
    """

    name: ClassVar[str]
    Config: ClassVar[type[ModelConfig]]
    uses_content: ClassVar[bool] = False  # whether scores depend on `data.features`
    SEARCH: ClassVar[Space] = {}  # search space of `tune`; it contains the defaults
    remedy: ClassVar[str] = "raise its relative_l2"  # advice in the error for scores that are not finite

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
        """Return the config of `values` and defaults; raises BadInput for unknown keys and invalid values."""
        try:
            return cls.Config.model_validate(dict(values))
        except ValidationError as error:
            what = describe_invalid(error, cls.Config.model_fields, "hyperparameter")
            raise BadInput(f"model {cls.name}: {what}") from error

    @classmethod
    def space_of(cls, config: ModelConfig) -> Space:
        """Return the search space for `tune`: SEARCH; for an ensemble, the union of its members' spaces in `config`."""
        del config
        return cls.SEARCH

    @classmethod
    def defaults_of(cls, config: ModelConfig) -> ModelConfig:
        """Return the first point of `space_of(config)`: the defaults, also of the models that `config` names."""
        del config
        return cls.configure({})

    def fit(self, options: TrainingOptions) -> list[EpochRecord]:
        """Train on `data.train` (and features); returns one record per epoch, a single one for a closed form.

        BadInput if the device is unavailable, even for closed-form models; Diverged if a value is not finite.
        """
        require_device(options.device)
        with threadpool_limits(options.threads, "blas"):
            return self._fit(options)

    def _fit(self, options: TrainingOptions) -> list[EpochRecord]:
        """As `fit`, with BLAS on no more than `options.threads` threads.

        Returns one record per epoch, and sets `fitted` and all that `_scores`, `serving` and `state` read. This one
        asks `_solve`; only what learns in epochs overrides it.
        """
        start = time.perf_counter()
        valid = self._solve(options)
        self.fitted = True
        return [EpochRecord(epoch=1, loss=None, valid=valid, seconds=time.perf_counter() - start)]

    def _solve(self, options: TrainingOptions) -> float | None:
        """Learn in one go: set all that `_scores`, `serving` and `state` read; `fitted` is set afterwards.

        Returns what `options.validate` says of the scores, None where it was not asked. Diverged for values that are
        not finite, BadInput for a dataset that does not fit in `options.memory_gib`.
        """
        raise NotImplementedError

    def settle(self, records: Sequence[EpochRecord]) -> ModelConfig:
        """The config that trains a fitted model again without validation; `records` are what `fit` returned."""
        del records
        return self.config

    def scores(self, users: np.ndarray) -> np.ndarray:
        """Return scores of all items, also of seen ones: (len(users), items) float32, finite, higher is better.

        `users` are row numbers of the dataset in any order, repeats allowed. Raises BadInput for a row that does not
        exist, TaskError if the model is not fitted, Diverged if a score is not finite.
        """
        if not self.fitted:
            raise TaskError(
                f"model {self.name} has learned nothing yet, expected fit() or load_state() before scores()"
            )
        scores = self._scores(self._rows(users))
        if not np.isfinite(scores).all():
            raise Diverged(f"model {self.name} gives scores that are not finite, expected finite ones: {self.remedy}")
        return scores

    @abstractmethod
    def _scores(self, users: np.ndarray) -> np.ndarray:
        """Return (len(users), items) float32 for valid row numbers."""

    def item_vectors(self) -> np.ndarray | None:
        """Return (items, d) float32 whose cosines measure item similarity, or None for a model without item vectors."""
        return None

    @abstractmethod
    def serving(self) -> Serving:
        """Return what a release needs for this model's scores, also of new users, without dataset and features."""

    @abstractmethod
    def state(self) -> dict[str, torch.Tensor]:
        """Return the learned state as contiguous CPU tensors; with config and data it gives the same scores."""

    def load_state(self, state: Mapping[str, torch.Tensor]) -> Self:
        """Load what `state()` returned with the same config and data; raises Corrupt if names or shapes differ."""
        self._set_state(state)
        self.fitted = True
        return self

    @abstractmethod
    def _set_state(self, state: Mapping[str, torch.Tensor]) -> None:
        """Check and set a state."""

    def _check_state(self, state: Mapping[str, torch.Tensor], expected: Mapping[str, tuple[int, ...]]) -> None:
        shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
        if shapes != dict(expected):
            raise Corrupt(
                f"state of model {self.name} holds {shapes}, expected {dict(expected)} for this config and dataset"
            )

    def _rows(self, users: np.ndarray) -> np.ndarray:
        rows = np.asarray(users)
        if rows.ndim != 1 or not np.issubdtype(rows.dtype, np.integer):
            raise BadInput(f"users of shape {rows.shape} and type {rows.dtype} found, expected one axis of row numbers")
        count = self.data.train.shape[0]
        wrong = rows[(rows < 0) | (rows >= count)]
        if len(wrong):
            raise BadInput(f"user {wrong[0]} found, expected row numbers from 0 to {count - 1}")
        return np.array(rows, dtype=np.int64, order="C")  # torch accepts none that is reversed or read-only
