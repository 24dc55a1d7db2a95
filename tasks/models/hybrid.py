"""Hybrid: what goes together and what it looks like (CEASE), blended with who is alike (iALS).

Our own. CEASE explains a score by the user's few items one by one, with content behind them; iALS sees the whole
history at once and smooths over the catalogue. They err on different users. Each user's scores of either are brought to
mean 0 and deviation 1 over the catalogue, since neither scale means anything, and added: z(CEASE) + w z(iALS). The one
number w is the best of a few on validation.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat

from tasks.data import Dataset
from tasks.models.base import Model
from tasks.models.cease import CEASE
from tasks.models.ials import IALS
from tasks.models.parts.scores import standard
from tasks.models.serving import Serving
from tasks.training import EpochRecord, ModelConfig, Space, TrainingOptions, under

WEIGHTS = (0.0, 0.3, 0.6, 1.0, 1.5, 2.0, 3.0, 5.0)


class Hybrid(Model):
    """Closed form and least squares: minutes, where a gradient model of the same accuracy takes hours."""

    name = "hybrid"
    uses_content = True
    SEARCH: ClassVar[Space] = {**under("cease", CEASE.SEARCH), **under("ials", IALS.SEARCH)}

    class Config(ModelConfig):
        """Those of both, and w."""

        cease: CEASE.Config = Field(default=CEASE.Config(), description="hyper-parameters of CEASE")
        ials: IALS.Config = Field(default=IALS.Config(), description="hyper-parameters of iALS")
        weight: NonNegativeFloat | None = Field(default=None, description="w; left out: the best on validation, or 1")

    config: Config

    def __init__(self, config: Config, data: Dataset) -> None:
        super().__init__(config, data)
        self._cease, self._ials = CEASE(config.cease, data), IALS(config.ials, data)
        self._weight = 1.0 if config.weight is None else config.weight

    def fit(self, options: TrainingOptions) -> list[EpochRecord]:
        """Fit both, then choose w by `options.validate` where there is one."""
        start = time.perf_counter()
        alone = replace(options, validate=None)
        self._cease.fit(alone)
        self._ials.fit(alone)
        self.fitted = True
        best = None
        if options.validate is not None:
            weights = WEIGHTS if self.config.weight is None else (self.config.weight,)
            found = {weight: options.validate(self._with(weight)) for weight in weights}
            self._weight, best = max(found.items(), key=lambda item: item[1])
        return [EpochRecord(epoch=1, loss=None, valid=best, seconds=time.perf_counter() - start)]

    def _with(self, weight: float) -> Hybrid:
        self._weight = weight
        return self

    def _scores(self, users: np.ndarray) -> np.ndarray:
        return standard(self._cease.scores(users)) + np.float32(self._weight) * standard(self._ials.scores(users))

    def item_vectors(self) -> np.ndarray:
        """Those of CEASE, in which content has a say."""
        return self._cease.item_vectors()

    def serving(self) -> Serving:
        """Both parts, blended as here."""
        return Serving(self._cease.serving().parts + self._ials.serving().parts, (1.0, self._weight))

    def state(self) -> dict[str, torch.Tensor]:
        """The states of both under `cease.` and `ials.`, and `weight` ()."""
        parts = {"cease": self._cease.state(), "ials": self._ials.state()}
        state = {f"{name}.{key}": tensor for name, found in parts.items() for key, tensor in found.items()}
        return state | {"weight": torch.tensor(self._weight, dtype=torch.float64)}

    def _set_state(self, state: Mapping[str, torch.Tensor]) -> None:
        users, items = self.data.train.shape
        shapes = {"cease.weights": (items, items), "weight": ()}
        shapes |= {f"ials.{side}": (n, self.config.ials.factors) for side, n in (("users", users), ("items", items))}
        self._checked(state, shapes)
        for name, model in (("cease", self._cease), ("ials", self._ials)):
            own = {key.removeprefix(f"{name}."): tensor for key, tensor in state.items() if key.startswith(f"{name}.")}
            model.load_state(own)
        self._weight = float(state["weight"])
