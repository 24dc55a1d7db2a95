"""Popularity: ranks items by their number of interactions; the baseline for all other models."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from tasks.models.base import Model
from tasks.models.serving import Factors, Serving
from tasks.models.solvers.fold_in import FoldIn
from tasks.training import ModelConfig, TrainingOptions


class Popularity(Model):
    """Scores every item by its number of training interactions, equally for all users."""

    name = "popularity"

    class Config(ModelConfig):
        """No hyperparameters."""

    config: Config

    def _solve(self, options: TrainingOptions) -> None:
        """Count."""
        self._counts = np.asarray(self.data.train.sum(axis=0), dtype=np.float32).ravel()  # (items,)

    def _scores(self, users: np.ndarray) -> np.ndarray:
        return np.tile(self._counts, (len(users), 1))

    def serving(self) -> Serving:
        """Return the counts as a bias, with vectors of width 0: new users get the same scores."""
        users, items = (np.zeros((count, 0), dtype=np.float32) for count in self.data.shape)
        return Factors(users, items, self._counts, FoldIn(alpha=1.0, l2=1.0))

    def state(self) -> dict[str, torch.Tensor]:
        """`counts` (items,)."""
        return {"counts": torch.from_numpy(self._counts)}

    def _set_state(self, state: Mapping[str, torch.Tensor]) -> None:
        self._check_state(state, {"counts": (self.data.train.shape[1],)})
        self._counts = state["counts"].numpy()
