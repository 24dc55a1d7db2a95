"""The VAE of album art: the loss is the negative ELBO of `tasks.encoders.rows.vae`, summed over pixels.

Implements `EncoderModule`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.encoders.art.common import MODALITIES, PREPROCESSING
from tasks.encoders.art.common import OPTIONS as COMMON
from tasks.encoders.rows.common import HALF, HIGHEST, LICENCES, latent_width, refuse_checkpoint

if TYPE_CHECKING:
    from tasks.encoders.base import Checkpoint, EncoderTraining, ModalityEncoder, Variant

__all__ = [
    "CHECKPOINTS",
    "HALF",
    "HIGHEST",
    "LICENCES",
    "MODALITIES",
    "OPTIONS",
    "PREPROCESSING",
    "SHIPPED",
    "convert",
    "load",
    "train",
    "width",
]

CHECKPOINTS: dict[str, Checkpoint] = {}
SHIPPED: dict[str, Path] = {}
OPTIONS: dict[str, object] = COMMON | {"kl_weight": 1.0, "output": "mean"}


def load(folder: Path, identities: Mapping[str, str], device: str, variant: Variant) -> Mapping[str, ModalityEncoder]:
    """Modality -> encoder with the weights in `folder`."""
    from tasks.encoders.art.neural import load_pictures  # noqa: PLC0415  torch takes seconds to import

    del variant  # there is none
    return load_pictures(folder, identities, device)


def width(config: Mapping[str, Any]) -> int:
    """Length of a vector of weights with this CONFIG."""
    return latent_width(config)


def convert(path: Path, name: str, folder: Path) -> None:
    """There are no released weights."""
    del path, folder
    refuse_checkpoint(name)


def train(task: EncoderTraining) -> dict[str, Any]:
    """Train on the pictures of `task.media`; `task.options` are OPTIONS."""
    from tasks.encoders.art.neural import train_pictures  # noqa: PLC0415

    return train_pictures(task, "picture-vae")
