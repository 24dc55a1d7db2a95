"""What it takes to answer without the dataset: three kinds of scores, and their blend; as plain arrays.

Each kind answers for users known from training and for new ones with a history (`models/saved.py` keeps them).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
from scipy import sparse

from tasks.models.solvers.ease_dual import Dual
from tasks.models.solvers.fold_in import FoldIn, gram_of
from tasks.models.solvers.scores import standard


@dataclass(frozen=True)
class ItemItem:
    """score = x B, with x what a user took and B the `weights` (items, items) float32, dense or sparse."""

    weights: np.ndarray | sparse.csr_matrix
    fold_in: ClassVar[None] = None

    def known(self, users: np.ndarray, taken: sparse.csr_matrix) -> np.ndarray:
        """(n, items) for row numbers `users`; `taken` (U, items) is what all users took in training."""
        return self.new(taken[users])

    def new(self, taken: sparse.csr_matrix) -> np.ndarray:
        """(n, items) for users who took the ones of `taken` (n, items)."""
        found = taken @ self.weights
        return np.asarray(found.toarray() if sparse.issparse(found) else found, dtype=np.float32)

    def tensors(self) -> dict[str, torch.Tensor]:
        """`weights`, or the three arrays of a sparse one."""
        if isinstance(self.weights, np.ndarray):
            return {"weights": torch.from_numpy(np.ascontiguousarray(self.weights))}
        arrays = {"values": self.weights.data, "indices": self.weights.indices, "starts": self.weights.indptr}
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    @property
    def vectors(self) -> np.ndarray | None:
        """(items, items): row j is what speaks for item j; None for a sparse one."""
        return self.weights.T if isinstance(self.weights, np.ndarray) else None


def linear_part(arrays: Mapping[str, np.ndarray], users: int, items: int) -> ItemItem | Dual:
    """A linear item-item model from its `tensors()`; KeyError or ValueError when they are not for so many of both."""
    if "inverse" in arrays:
        ones = np.ones(len(arrays["indices"]), dtype=np.float32)
        history = _sparse((ones, arrays["indices"], arrays["starts"]), (users, items))
        inverse, diagonal = shaped(arrays, "inverse", (users, users)), shaped(arrays, "diagonal", (items,))
        return Dual(inverse, diagonal, history, float(shaped(arrays, "l2", ())))
    if "values" in arrays:
        return ItemItem(_sparse((arrays["values"], arrays["indices"], arrays["starts"]), (items, items)))
    return ItemItem(shaped(arrays, "weights", (items, items)))


def shaped(arrays: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The array `name`; KeyError when it is missing, ValueError when it is of another shape."""
    if arrays[name].shape != shape:
        raise ValueError(f"{name} of shape {arrays[name].shape} instead of {shape}")
    return arrays[name]


def _sparse(arrays: tuple[np.ndarray, np.ndarray, np.ndarray], shape: tuple[int, int]) -> sparse.csr_matrix:
    found = sparse.csr_matrix(arrays, shape=shape)
    found.check_format(full_check=True)
    return found


@dataclass(frozen=True)
class Factors:
    """score = users items' + bias: `users` (U, d), `items` (items, d), `bias` (items,), all float32."""

    users: np.ndarray
    items: np.ndarray
    bias: np.ndarray
    fold_in: FoldIn

    def known(self, users: np.ndarray, _taken: sparse.csr_matrix) -> np.ndarray:
        """(n, items) for row numbers `users`, by the vectors that they learned."""
        return self.users[users] @ self.items.T + self.bias

    def new(self, taken: sparse.csr_matrix) -> np.ndarray:
        """(n, items) for users who took the ones of `taken` (n, items), by vectors folded in."""
        vectors = self.fold_in.vectors(self.items, self._gram, taken)
        return vectors.astype(np.float32) @ self.items.T + self.bias

    @cached_property
    def _gram(self) -> np.ndarray:
        return gram_of(self.items)

    def tensors(self) -> dict[str, torch.Tensor]:
        """The three."""
        arrays = {"users": self.users, "items": self.items, "bias": self.bias}
        return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}

    @property
    def vectors(self) -> np.ndarray:
        """(items, d)."""
        return self.items


@dataclass(frozen=True)
class Serving:
    """One part, or several: each user's scores of a part are then standardised, weighed and added."""

    parts: tuple[ItemItem | Dual | Factors, ...]
    weights: tuple[float, ...] = (1.0,)

    def known(self, users: np.ndarray, taken: sparse.csr_matrix) -> np.ndarray:
        """(n, items) float32 for row numbers `users` of the dataset, as the model itself scores them."""
        return self._blend([part.known(users, taken) for part in self.parts])

    def new(self, taken: sparse.csr_matrix) -> np.ndarray:
        """(n, items) float32 for users who were not there in training and took the ones of `taken` (n, items)."""
        return self._blend([part.new(taken) for part in self.parts])

    def _blend(self, scores: list[np.ndarray]) -> np.ndarray:
        if len(scores) == 1:
            return scores[0]
        weighed = [np.float32(weight) * standard(part) for weight, part in zip(self.weights, scores, strict=True)]
        return np.asarray(np.sum(weighed, axis=0), dtype=np.float32)
