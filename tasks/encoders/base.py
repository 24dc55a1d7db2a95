"""Protocols: an encoder of one modality, and the module of an encoder architecture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from tasks.encoders.packages import Package
    from tasks.store import ObjectInfo, Store
    from tasks.training.checkpoint import Checkpoints

MODEL, CONFIG = "model.safetensors", "config.json"  # the files of stored weights


@dataclass(frozen=True)
class Variant:
    """How weights are used, as it stands behind the name of an encoder.

    half: `.bfloat16`, which is what it computes in. bandwidth: `.7200hz`, the highest frequency that is left of sounds.
    """

    half: bool = False
    bandwidth: int | None = None


class ModalityEncoder(Protocol):
    """Encodes media of one modality as embeddings.

    `identity` names weights, preprocessing and dtype (see `identity.py`). `width` is the length of a vector.
    """

    identity: str
    width: int

    @property
    def decode(self) -> Callable[[bytes], object]:
        """Decodes one file for `encode`. Raises BadMedia with the reason.

        It is sent to processes of its own: a function of a module, or a small object that can be pickled, and its
        module imports no torch.
        """
        ...

    def encode(self, media: Sequence[Any]) -> np.ndarray:
        """Return (len(media), width) float32; a row depends only on its own medium, not on the rest of the batch."""
        ...


class Checkpoint(Protocol):
    """A released weights file: its address, size in bytes and sha256."""

    @property
    def url(self) -> str: ...

    @property
    def size(self) -> int: ...

    @property
    def sha256(self) -> str: ...


@dataclass(frozen=True)
class EncoderTraining:
    """What an architecture is asked to train.

    `media` are the items, each modality -> medium of the store; of an encoder of rows these are `rows` (n, d) float32,
    with what is known of their `columns`. `options` are the architecture's own hyperparameters.
    The weights and `facts` are written into `folder`, with `half` in float16. `start_from` is a folder of weights to go
    on from. A killed training resumes by `checkpoints`.
    """

    store: Store
    media: Sequence[Mapping[str, ObjectInfo]]
    modalities: Sequence[str]
    folder: Path
    options: Mapping[str, Any]
    start_from: Path | None
    facts: Mapping[str, object]
    half: bool
    threads: int
    checkpoints: Checkpoints
    rows: np.ndarray | None = None
    columns: Mapping[str, Any] | None = None


class EncoderModule(Protocol):
    """What a module in `ENCODERS` defines. Importing it must not import torch."""

    MODALITIES: tuple[str, ...]  # that it encodes
    PREPROCESSING: str  # version of the preprocessing; part of the identity
    CHECKPOINTS: Mapping[str, Checkpoint]  # released weights by name
    OPTIONS: Mapping[str, object]  # what a training can be told, with the defaults
    SHIPPED: Mapping[str, Path | Package]  # weights that come with the code (a folder) or in a package, by name
    HALF: bool  # whether it computes in bfloat16 where asked
    HIGHEST: int  # Hz that it hears of sounds; 0 if it has no sounds
    LICENCES: Mapping[str, str]  # of its released and shipped weights, by name

    def width(self, config: Mapping[str, Any]) -> int:
        """Length of a vector of weights with this CONFIG."""
        ...

    def load(
        self, folder: Path, identities: Mapping[str, str], device: str, variant: Variant
    ) -> Mapping[str, ModalityEncoder]:
        """Modality -> encoder with the weights in `folder`, each with its identity."""
        ...

    def convert(self, path: Path, name: str, folder: Path) -> None:
        """Convert the verified file of the checkpoint or package `name` to MODEL and CONFIG.

        BadInput if it is of another model.
        """
        ...

    def train(self, task: EncoderTraining) -> dict[str, Any]:
        """Train, and write MODEL and CONFIG; returns the number of items and the metrics."""
        ...
