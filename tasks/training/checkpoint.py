"""Checkpoints of a training that may be killed: one object in the store, written whole after every epoch.

A checkpoint is a safetensors file (no pickle) whose metadata holds the numbers that are no tensors, as JSON. It is used
only where it was written for the same training: `identity` names the model, its hyperparameters, its data and its seed,
beside which stand the versions of this software and of torch.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from tasks.errors import NotFound
from tasks.store.artefacts import code_version
from tasks.store.base import Store
from tasks.training.optim import Optimizer

log = logging.getLogger(__name__)


class Checkpoints(Protocol):
    """Keeps the newest state of one training."""

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Tensors by name and JSON values, as last saved; None where there is nothing to resume."""
        ...

    def save(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Replace what was saved before."""

    def part(self, name: str) -> Checkpoints:
        """Those of a part that is trained by itself: a member of an ensemble."""
        ...


class StoreCheckpoints:
    """Checkpoints under a prefix of a store."""

    def __init__(self, store: Store, prefix: str, identity: Mapping[str, Any]) -> None:
        self._store = store
        self._prefix = prefix
        software = {"code": code_version(), "torch": torch.__version__}  # others need not give the same bits
        self._identity = json.dumps({**identity, **software}, sort_keys=True)

    @property
    def _key(self) -> str:
        return f"{self._prefix}/checkpoint.safetensors"

    def save(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Write tensors (moved to the CPU) and values as one object."""
        metadata = {"identity": self._identity, "values": json.dumps(values)}
        with _scratch_file() as path:
            save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, path, metadata)
            self._store.put_file(self._key, path)

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """What was saved last, or None: nothing there, not readable, or of another training."""
        with _scratch_file() as path:
            try:
                self._store.get_file(self._key, path)
                with safe_open(path, framework="pt") as file:
                    metadata = file.metadata() or {}
                    if metadata.get("identity") != self._identity:
                        log.info("%s is of another training: this one starts at the first epoch", self._key)
                        return None
                    tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no mapping
            except NotFound:
                return None
            except SafetensorError as error:
                log.warning("%s cannot be read (%s): training starts at the first epoch", self._key, error)
                return None
        return tensors, json.loads(metadata["values"])

    def part(self, name: str) -> StoreCheckpoints:
        """The checkpoints of a member, in a folder below."""
        return StoreCheckpoints(self._store, f"{self._prefix}/{name}", {"of": self._identity, "part": name})

    def clear(self) -> None:
        """Remove all, those of parts too: the training is over and its result is stored."""
        for info in list(self._store.list(f"{self._prefix}/")):
            self._store.delete(info.key)


@contextmanager
def _scratch_file() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "checkpoint.safetensors"


def pack_optimizer(optimizer: Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """State of an optimizer as tensors by `<parameter>/<name>` and JSON values."""
    state = optimizer.state_dict()
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, Any] = {}
    for place, entries in state["state"].items():
        for name, value in entries.items():
            (tensors if isinstance(value, Tensor) else numbers)[f"{place}/{name}"] = value
    return tensors, {"numbers": numbers, "param_groups": state["param_groups"]}


def unpack_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
    """Load what `pack_optimizer` gave into a fresh optimizer of the same parameters."""
    state: dict[int, dict[str, Any]] = {}
    for key, value in {**tensors, **values["numbers"]}.items():
        place, _, name = key.partition("/")
        state.setdefault(int(place), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": values["param_groups"]})
