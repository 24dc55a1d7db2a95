"""A fitted model in an artefact, as what can be loaded on its dataset and as what answers without one.

`model.safetensors` (what it learned) and `config.json` (name, hyper-parameters); `serving.safetensors` and
`serving.json`, which hold a `Serving` and the vectors that tell which items are alike. Tensors that both need are in
`model.safetensors` alone.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tasks.data import Dataset
from tasks.errors import Corrupt
from tasks.models import build_model
from tasks.models.base import Model
from tasks.models.serving import Factors, ItemItem, Serving, linear_part, shaped
from tasks.models.solvers.ease_dual import Dual
from tasks.models.solvers.fold_in import FoldIn
from tasks.store import Artefact, ArtefactWriter


class _Part(BaseModel):
    """One part of a `Serving`; with `fold_in` it is `Factors`, without it a linear item-item model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weight: float
    fold_in: FoldIn | None


class _Facts(BaseModel):
    """What `serving.json` holds: `similar` is the part whose item vectors are the model's.

    `learned` names the tensors that are in `model.safetensors` instead, with their names there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    parts: list[_Part] = Field(min_length=1)
    similar: int | None = Field(ge=0)
    learned: dict[str, str] = {}


def save_model(artefact: ArtefactWriter, model: Model) -> None:
    """Write everything that `load_model` needs beside the dataset."""
    artefact.tensors("model.safetensors", model.state())
    artefact.json("config.json", {"model": model.name, "config": model.config.model_dump(mode="json")})


def load_model(artefact: Artefact, data: Dataset) -> Model:
    """The model that `save_model` wrote, with the same scores on the dataset it was fitted on, which is the caller's to
    know; Corrupt where shapes differ."""
    found = artefact.json("config.json")
    if not isinstance(found, dict) or set(found) != {"model", "config"}:
        raise Corrupt(f"{artefact.prefix}/config.json holds something else than the keys model and config: train again")
    return build_model(found["model"], found["config"], data).load_state(artefact.tensors("model.safetensors"))


def save_serving(artefact: ArtefactWriter, model: Model) -> None:
    """Write what `load_serving` needs beside `save_model`: tensors of part n under `n.`, and nothing a second time."""
    serving, vectors = model.serving(), model.item_vectors()
    tensors = {f"{n}.{name}": tensor for n, part in enumerate(serving.parts) for name, tensor in part.tensors().items()}
    similar = None
    if vectors is not None:
        own = enumerate(part.vectors for part in serving.parts)
        similar = next((n for n, found in own if found is not None and np.array_equal(found, vectors)), None)
        if similar is None:
            tensors["item_vectors"] = torch.from_numpy(np.ascontiguousarray(vectors))
    learned = _learned(tensors, model.state())
    parts = [_Part(weight=w, fold_in=part.fold_in) for part, w in zip(serving.parts, serving.weights, strict=True)]
    facts = _Facts(parts=parts, similar=similar, learned=learned)
    artefact.tensors("serving.safetensors", {name: tensor for name, tensor in tensors.items() if name not in learned})
    artefact.json("serving.json", facts.model_dump(mode="json"))


def _learned(tensors: Mapping[str, torch.Tensor], state: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """Names of the tensors that `state` holds too, with their names there."""

    def same(one: torch.Tensor, other: torch.Tensor) -> bool:
        return one.dtype == other.dtype and torch.equal(one, other)

    found = {name: next((key for key in state if same(tensor, state[key])), None) for name, tensor in tensors.items()}
    return {name: key for name, key in found.items() if key is not None}


def load_serving(artefact: Artefact, users: int, items: int) -> tuple[Serving, np.ndarray | None]:
    """What `save_serving` wrote and the model's item vectors (items, d), None for a model without.

    Corrupt when it does not hold together or is not for so many users and items.
    """
    try:
        facts = _Facts.model_validate_json(artefact.path("serving.json").read_bytes())
        tensors = artefact.tensors("serving.safetensors")
        if facts.learned:
            state = artefact.tensors("model.safetensors")
            tensors |= {name: state[key] for name, key in facts.learned.items()}
        arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
        parts = tuple(_part(n, part.fold_in, arrays, users, items) for n, part in enumerate(facts.parts))
        vectors = None if facts.similar is None else parts[facts.similar].vectors
        if "item_vectors" in arrays:
            vectors = shaped(arrays, "item_vectors", (items, arrays["item_vectors"].shape[-1]))
    except (ValidationError, ValueError, KeyError, IndexError) as error:
        raise Corrupt(
            f"{artefact.prefix}/serving.json and .safetensors do not hold together ({' '.join(str(error).split())}), "
            f"expected tensors for {users} users and {items} items: publish again"
        ) from error
    return Serving(parts, tuple(part.weight for part in facts.parts)), vectors


def _part(
    n: int, fold_in: FoldIn | None, arrays: Mapping[str, np.ndarray], users: int, items: int
) -> ItemItem | Dual | Factors:
    """Part `n`; KeyError or ValueError when tensors are missing or of another shape."""
    own = {name.removeprefix(f"{n}."): array for name, array in arrays.items() if name.startswith(f"{n}.")}
    if fold_in is None:
        return linear_part(own, users, items)
    width = own["items"].shape[-1]
    shapes = {"users": (users, width), "items": (items, width), "bias": (items,)}
    return Factors(**{name: shaped(own, name, shape) for name, shape in shapes.items()}, fold_in=fold_in)
