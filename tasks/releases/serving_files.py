"""What answers without the dataset, in a release: `serving.json` and `serving.safetensors`.

They hold a `Serving` of one of KINDS, and the vectors that tell which items are similar. Tensors that the model's own
`model.safetensors` has are there alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict

from tasks.errors import BadInput, Corrupt, one_line
from tasks.models.base import Model
from tasks.models.serving import Serving, kind_class, linear_kind
from tasks.models.solvers.arrays import get_array
from tasks.store import Artefact, ArtefactWriter

TWIN = "twin_"  # before the names of the files of the model that was evaluated
VERSION = 2  # of serving.json: raised when an earlier version of this software could not read what is written


class _Facts(BaseModel):
    """What `serving.json` holds: a key of KINDS, what that kind has to say, and where the model's item vectors are.

    `learned` names the tensors that are in `model.safetensors` instead, with their names there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = VERSION
    kind: str
    facts: dict[str, Any]
    vectors: Literal["of the kind", "a tensor", "none"]
    learned: dict[str, str]


def save_serving(artefact: ArtefactWriter, model: Model, which: str = "") -> None:
    """Write what `load_serving` needs beside the model's state, and nothing a second time.

    `which`: TWIN for the evaluated twin; names of files begin with it.
    """
    serving, vectors = model.serving(), model.item_vectors()
    tensors, own = serving.tensors(), serving.vectors
    where: Literal["of the kind", "a tensor", "none"] = "none" if vectors is None else "of the kind"
    if vectors is not None and (own is None or not np.array_equal(own, vectors)):
        where, tensors["item_vectors"] = "a tensor", torch.from_numpy(np.ascontiguousarray(vectors))
    learned = _find_learned(tensors, model.state())
    facts = _Facts(kind=serving.kind, facts=serving.facts(), vectors=where, learned=learned)
    artefact.tensors(
        f"{which}serving.safetensors", {name: tensor for name, tensor in tensors.items() if name not in learned}
    )
    artefact.json(f"{which}serving.json", facts.model_dump(mode="json"))


def _find_learned(tensors: Mapping[str, torch.Tensor], state: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """Names of the tensors that `state` holds too, with their names there."""

    def same(one: torch.Tensor, other: torch.Tensor) -> bool:
        return one.dtype == other.dtype and torch.equal(one, other)

    keys = {name: next((key for key in state if same(tensor, state[key])), None) for name, tensor in tensors.items()}
    return {name: key for name, key in keys.items() if key is not None}


def load_serving(artefact: Artefact, users: int, items: int, which: str = "") -> tuple[Serving, np.ndarray | None]:
    """What `save_serving` wrote and the model's item vectors (items, d), None for a model without.

    BadInput for a kind or a version that is not known here; Corrupt when what was written does not hold together or is
    not for so many users and items.
    """
    try:
        content = artefact.json(f"{which}serving.json")
        tensors = artefact.tensors(f"{which}serving.safetensors")
        if learned := content.get("learned"):
            state = artefact.tensors(f"{which}model.safetensors")
            tensors |= {name: state[key] for name, key in learned.items()}
        facts = _facts_of(content, tensors)
        arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
        serving = kind_class(facts.kind).read(arrays, facts.facts, users, items)
        vectors = serving.vectors if facts.vectors == "of the kind" else None
        if facts.vectors == "a tensor":
            vectors = get_array(arrays, "item_vectors", (items, arrays["item_vectors"].shape[-1]))
    except BadInput as error:
        raise BadInput(
            f"{artefact.prefix}/{which}serving.json: {error}; another version of this software wrote it, so answer "
            "with that one, or publish again"
        ) from error
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise Corrupt(
            f"{artefact.prefix}/{which}serving.json and .safetensors do not hold together ({one_line(error)}), "
            f"expected tensors for {users} users and {items} items: publish again"
        ) from error
    return serving, vectors


def _facts_of(content: Mapping[str, Any], names: Collection[str]) -> _Facts:
    """What `serving.json` says beside tensors of these `names`; BadInput for a version that is not known here."""
    version = content.get("version", 1)
    if version not in (1, VERSION):
        raise BadInput(f"version {version} found, expected at most {VERSION}")
    return _Facts.model_validate(_name_kinds(content, names) if version == 1 else content)


def _name_kinds(old: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """What a file of version 1, which said neither that nor any kind, would say today: an ensemble of its parts.

    In releases, only here a kind is recognised by the `names` of its tensors.
    """
    parts = []
    for n, part in enumerate(old["parts"]):
        linear = linear_kind({name.removeprefix(f"{n}.") for name in names}).kind
        parts.append({"kind": "factors" if part["fold_in"] else linear, "facts": {"fold_in": part["fold_in"]}})
    vectors = "a tensor" if "item_vectors" in names else {None: "none", 0: "of the kind"}[old["similar"]]
    facts = {"parts": parts, "weights": [part["weight"] for part in old["parts"]]}
    return {"kind": "ensemble", "facts": facts, "vectors": vectors, "learned": old.get("learned", {})}
