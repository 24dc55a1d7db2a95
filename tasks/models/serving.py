"""What answers without the dataset: kinds of scores, for users known from training and for new ones.

A new kind is a class that does what `Serving` says, and a line of `KINDS`; `releases/serving_files.py` writes them all.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import torch
from pydantic import TypeAdapter
from scipy import sparse

from tasks.data import Sequences
from tasks.errors import BadInput
from tasks.models.solvers.arrays import build_sparse, get_array
from tasks.models.solvers.fold_in import FoldIn, gram_of
from tasks.models.solvers.standardise import standardise_scores

KINDS: dict[str, str] = {
    "item-item": "tasks.models.serving:ItemItem",
    "item-item-sparse": "tasks.models.serving:SparseItemItem",
    "item-item-dual": "tasks.models.solvers.ease_dual:Dual",
    "factors": "tasks.models.serving:Factors",
    "ensemble": "tasks.models.serving:Ensemble",
}


class Serving(Protocol):
    """Scores of the whole catalogue, (n, items) float32; `tensors()` and `facts()` are all that `read` needs for them.

    Kinds to which the order of a history means nothing give the same to the bit for all orders: `Sequences.matrix`.
    """

    kind: ClassVar[str]  # its key in KINDS

    def known(self, users: np.ndarray, interactions: sparse.csr_matrix) -> np.ndarray:
        """Of row numbers `users`, as the model scores them; `interactions` (U, items) are all those of training."""

    def new(self, histories: Sequences) -> np.ndarray:
        """For n users who were not in training, by their interactions, oldest first and each item once."""

    @property
    def vectors(self) -> np.ndarray | None:
        """(items, d) whose cosines say how similar two items are; None for a kind that has no such thing."""
        return None

    def tensors(self) -> dict[str, torch.Tensor]:
        """What is written of arrays, under any name but `item_vectors`."""

    def facts(self) -> dict[str, Any]:
        """What is written beside them, as JSON."""
        return {}

    @classmethod
    def read(cls, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any], users: int, items: int) -> Self:
        """From what was written; KeyError or ValueError when it is not for so many users and items."""


def kind_class(name: str) -> type[Serving]:
    """The class behind a name of KINDS; BadInput naming the known ones otherwise."""
    if name not in KINDS:
        raise BadInput(f"kind {name!r} found, expected one of {', '.join(KINDS)}")
    module, attribute = KINDS[name].split(":")
    kind: type[Serving] = getattr(importlib.import_module(module), attribute)
    return kind


def linear_kind(names: Collection[str]) -> type[Serving]:
    """The item-item kind that has tensors of these names; for what is no more than tensors, as a model's state."""
    return kind_class("item-item" + ("-dual" if "inverse" in names else "-sparse" if "values" in names else ""))


@dataclass(frozen=True)
class ItemItem(Serving):
    """score = x B, with x the interactions of a user and B the `weights` (items, items) float32."""

    kind = "item-item"
    weights: np.ndarray | sparse.csr_matrix

    def known(self, users: np.ndarray, interactions: sparse.csr_matrix) -> np.ndarray:
        scores = interactions[users] @ self.weights
        return np.asarray(scores.toarray() if sparse.issparse(scores) else scores, dtype=np.float32)

    def new(self, histories: Sequences) -> np.ndarray:
        return self.known(np.arange(len(histories)), histories.matrix(self.weights.shape[0]))

    @property
    def vectors(self) -> np.ndarray | None:
        """(items, items), row j what speaks for item j; None for sparse weights."""
        return None if sparse.issparse(self.weights) else np.asarray(self.weights.T)

    def tensors(self) -> dict[str, torch.Tensor]:
        return {"weights": torch.from_numpy(np.ascontiguousarray(self.weights))}

    @classmethod
    def read(cls, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any], users: int, items: int) -> Self:
        return cls(get_array(arrays, "weights", (items, items)))


class SparseItemItem(ItemItem):
    """The same with `weights` that are mostly 0, CSR."""

    kind = "item-item-sparse"
    weights: sparse.csr_matrix

    def tensors(self) -> dict[str, torch.Tensor]:
        arrays = {"values": self.weights.data, "indices": self.weights.indices, "starts": self.weights.indptr}
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    @classmethod
    def read(cls, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any], users: int, items: int) -> Self:
        return cls(build_sparse(arrays["values"], arrays, (items, items)))


@dataclass(frozen=True)
class Factors(Serving):
    """score = users items' + bias: `users` (U, d), `items` (items, d), `bias` (items,), all float32."""

    kind = "factors"
    users: np.ndarray
    items: np.ndarray
    bias: np.ndarray
    fold_in: FoldIn

    def known(self, users: np.ndarray, interactions: sparse.csr_matrix) -> np.ndarray:
        """By the vectors that they learned."""
        return self.users[users] @ self.items.T + self.bias

    def new(self, histories: Sequences) -> np.ndarray:
        """By vectors folded in."""
        vectors = self.fold_in.vectors(self.items, self._gram, histories.matrix(len(self.items)))
        return vectors.astype(np.float32) @ self.items.T + self.bias

    @cached_property
    def _gram(self) -> np.ndarray:
        return gram_of(self.items)

    @property
    def vectors(self) -> np.ndarray:
        return self.items

    def tensors(self) -> dict[str, torch.Tensor]:
        arrays = {"users": self.users, "items": self.items, "bias": self.bias}
        return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}

    def facts(self) -> dict[str, Any]:
        return {"fold_in": asdict(self.fold_in)}

    @classmethod
    def read(cls, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any], users: int, items: int) -> Self:
        width = arrays["items"].shape[-1]
        shapes = {"users": (users, width), "items": (items, width), "bias": (items,)}
        fold_in = TypeAdapter(FoldIn).validate_python(facts["fold_in"])
        return cls(**{name: get_array(arrays, name, shape) for name, shape in shapes.items()}, fold_in=fold_in)


@dataclass(frozen=True)
class Ensemble(Serving):
    """Scores of the `parts`, standardised by user, weighted and added; the vectors are those of the first."""

    kind = "ensemble"
    parts: tuple[Serving, ...]
    weights: tuple[float, ...]

    def known(self, users: np.ndarray, interactions: sparse.csr_matrix) -> np.ndarray:
        return self._blend([part.known(users, interactions) for part in self.parts])

    def new(self, histories: Sequences) -> np.ndarray:
        return self._blend([part.new(histories) for part in self.parts])

    def _blend(self, scores: list[np.ndarray]) -> np.ndarray:
        if len(scores) == 1:  # as releases of version 1 were written
            return scores[0]
        weighted = [
            np.float32(weight) * standardise_scores(part) for weight, part in zip(self.weights, scores, strict=True)
        ]
        return np.asarray(np.sum(weighted, axis=0), dtype=np.float32)

    @property
    def vectors(self) -> np.ndarray | None:
        return self.parts[0].vectors

    def tensors(self) -> dict[str, torch.Tensor]:
        return {f"{n}.{name}": one for n, part in enumerate(self.parts) for name, one in part.tensors().items()}

    def facts(self) -> dict[str, Any]:
        parts = [{"kind": part.kind, "facts": part.facts()} for part in self.parts]
        return {"parts": parts, "weights": list(self.weights)}

    @classmethod
    def read(cls, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any], users: int, items: int) -> Self:
        parts = []
        for n, (part, _) in enumerate(zip(facts["parts"], facts["weights"], strict=True)):
            own = {name.removeprefix(f"{n}."): array for name, array in arrays.items() if name.startswith(f"{n}.")}
            parts.append(kind_class(part["kind"]).read(own, part["facts"], users, items))
        if not parts:
            raise ValueError("no parts")
        return cls(tuple(parts), tuple(facts["weights"]))
