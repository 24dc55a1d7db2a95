"""Linear item-item models: score = X B, with X the interactions and B a weight for each pair of items."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from tasks.errors import Corrupt
from tasks.models.base import Model
from tasks.models.serving import Serving, linear_kind


class ItemWeights(Model):
    """Implements everything except `_solve`, which sets `_part`: B, dense or sparse, or an equivalent form."""

    _part: Serving

    def _scores(self, users: np.ndarray) -> np.ndarray:
        return self._part.known(users, self.data.train)

    def item_vectors(self) -> np.ndarray | None:
        """(items, items): row j holds the weights that speak for item j, like ones for like items; None if sparse."""
        return self._part.vectors

    def serving(self) -> Serving:
        """The part as it is."""
        return self._part

    def state(self) -> dict[str, torch.Tensor]:
        """Return the tensors of the part: `weights` (items, items) if B is dense."""
        return self._part.tensors()

    def _set_state(self, state: Mapping[str, torch.Tensor]) -> None:
        users, items = self.data.train.shape
        try:
            arrays = {name: tensor.numpy() for name, tensor in state.items()}
            self._part = linear_kind(arrays).read(arrays, {}, users, items)
        except (KeyError, ValueError) as error:
            shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
            raise Corrupt(
                f"state of model {self.name} holds {shapes}, expected weights for {users} users and {items} items"
            ) from error
