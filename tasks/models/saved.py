"""A fitted model in an artefact, twice: as what can be loaded on its dataset, and as what answers without one.

`model.safetensors` (what it learned) and `config.json` (name, hyper-parameters); `serving.safetensors` and
`serving.json`, which hold a `Serving` and the vectors that tell which items are alike.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from scipy import sparse

from tasks.data import Dataset
from tasks.errors import Corrupt
from tasks.models import build_model
from tasks.models.base import Model
from tasks.models.parts.fold_in import FoldIn
from tasks.models.serving import Factors, ItemItem, Serving
from tasks.store import Artefact, ArtefactWriter


class _Part(BaseModel):
    """One part of a `Serving`; with `fold_in` it is `Factors`, without it `ItemItem`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weight: float
    fold_in: FoldIn | None


class _Facts(BaseModel):
    """What `serving.json` holds; `similar` is the part whose item vectors are the model's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    parts: list[_Part] = Field(min_length=1)
    similar: int | None = Field(ge=0)


def save_model(artefact: ArtefactWriter, model: Model) -> None:
    """Write everything that `load_model` needs beside the dataset."""
    artefact.tensors("model.safetensors", model.state())
    artefact.json("config.json", {"model": model.name, "config": model.config.model_dump(mode="json")})


def load_model(artefact: Artefact, data: Dataset) -> Model:
    """The model that `save_model` wrote, on the dataset it was fitted on, with the same scores; Corrupt otherwise."""
    found = artefact.json("config.json")
    if not isinstance(found, dict) or set(found) != {"model", "config"}:
        raise Corrupt(f"{artefact.prefix}/config.json holds something else than the keys model and config: train again")
    return build_model(found["model"], found["config"], data).load_state(artefact.tensors("model.safetensors"))


def save_serving(artefact: ArtefactWriter, model: Model) -> None:
    """Write what `load_serving` needs: tensors of part n under `n.`, item vectors only where no part has them."""
    serving, vectors = model.serving(), model.item_vectors()
    tensors = {f"{n}.{name}": tensor for n, part in enumerate(serving.parts) for name, tensor in part.tensors().items()}
    similar = None
    if vectors is not None:
        own = enumerate(part.vectors for part in serving.parts)
        similar = next((n for n, found in own if found is not None and np.array_equal(found, vectors)), None)
        if similar is None:
            tensors["item_vectors"] = torch.from_numpy(np.ascontiguousarray(vectors))
    pairs = zip(serving.parts, serving.weights, strict=True)
    facts = _Facts(parts=[_Part(weight=weight, fold_in=part.fold_in) for part, weight in pairs], similar=similar)
    artefact.tensors("serving.safetensors", tensors)
    artefact.json("serving.json", facts.model_dump(mode="json"))


def load_serving(artefact: Artefact, users: int, items: int) -> tuple[Serving, np.ndarray | None]:
    """What `save_serving` wrote and the model's item vectors (items, d), None for a model without.

    Corrupt when it does not hold together or is not for so many users and items.
    """
    try:
        facts = _Facts.model_validate_json(artefact.path("serving.json").read_bytes())
        arrays = {name: tensor.numpy() for name, tensor in artefact.tensors("serving.safetensors").items()}
        parts = tuple(_part(n, part.fold_in, arrays, users, items) for n, part in enumerate(facts.parts))
        vectors = None if facts.similar is None else parts[facts.similar].vectors
        if "item_vectors" in arrays:
            vectors = _shaped(arrays, "item_vectors", (items, arrays["item_vectors"].shape[-1]))
    except (ValidationError, ValueError, KeyError, IndexError) as error:
        raise Corrupt(
            f"{artefact.prefix}/serving.json and .safetensors do not hold together ({' '.join(str(error).split())}), "
            f"expected tensors for {users} users and {items} items: publish again"
        ) from error
    return Serving(parts, tuple(part.weight for part in facts.parts)), vectors


def _part(
    n: int, fold_in: FoldIn | None, arrays: Mapping[str, np.ndarray], users: int, items: int
) -> ItemItem | Factors:
    """Part `n`; KeyError or ValueError when tensors are missing or of another shape."""
    if fold_in is None and f"{n}.values" in arrays:
        found = tuple(arrays[f"{n}.{name}"] for name in ("values", "indices", "starts"))
        weights = sparse.csr_matrix(found, shape=(items, items))
        weights.check_format(full_check=True)
        return ItemItem(weights)
    if fold_in is None:
        return ItemItem(_shaped(arrays, f"{n}.weights", (items, items)))
    own = arrays[f"{n}.items"].shape[-1]
    shapes = {"users": (users, own), "items": (items, own), "bias": (items,)}
    return Factors(**{name: _shaped(arrays, f"{n}.{name}", shape) for name, shape in shapes.items()}, fold_in=fold_in)


def _shaped(arrays: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...]) -> np.ndarray:
    if arrays[name].shape != shape:
        raise ValueError(f"{name} of shape {arrays[name].shape} instead of {shape}")
    return arrays[name]
