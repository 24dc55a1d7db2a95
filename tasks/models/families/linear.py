"""A linear item-item model: what a user took speaks for every item by a weight, score = X B."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from tasks.errors import Corrupt
from tasks.models.base import Model
from tasks.models.serving import ItemItem, Serving, linear_part
from tasks.models.solvers.ease_dual import Dual


class ItemWeights(Model):
    """All but `fit`, which sets `_part`: B itself, dense or sparse, or what stands for it."""

    _part: ItemItem | Dual

    def _scores(self, users: np.ndarray) -> np.ndarray:
        return self._part.known(users, self.data.train)

    def item_vectors(self) -> np.ndarray | None:
        """(items, items): row j is column j of a dense B, the weights that speak for item j; like items have like ones.

        None where B is not dense.
        """
        return self._part.vectors

    def serving(self) -> Serving:
        """The part as it is."""
        return Serving((self._part,))

    def state(self) -> dict[str, torch.Tensor]:
        """The tensors of the part: `weights` (items, items) where B is dense."""
        return self._part.tensors()

    def _set_state(self, state: Mapping[str, torch.Tensor]) -> None:
        users, items = self.data.train.shape
        try:
            self._part = linear_part({name: tensor.numpy() for name, tensor in state.items()}, users, items)
        except (KeyError, ValueError) as error:
            found = {name: tuple(tensor.shape) for name, tensor in state.items()}
            raise Corrupt(
                f"state of model {self.name} holds {found}, expected weights for {users} users and {items} items"
            ) from error
