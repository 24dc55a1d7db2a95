"""The variational autoencoder (Kingma, Welling 2013) of the rows of a table: 11-100-100-2x64 for eleven numbers.

The loss is the negative ELBO of a Gaussian decoder of variance 1: half of the squared error, summed over columns, and
the divergence of the latent vectors from N(0, 1), with `kl_weight` 1. "Multimodal Music Recommender System: Final
Report" (Wangkriangkri et al.; 4.2.1) optimises an ELBO and names no other weight. Implements `EncoderModule`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.encoders.rows.common import (
    HALF,
    HIGHEST,
    LICENCES,
    MODALITIES,
    PREPROCESSING,
    latent_width,
    refuse_checkpoint,
)

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
OPTIONS: dict[str, object] = {
    "width": 64,
    "hidden": [100, 100],
    "kl_weight": 1.0,
    "output": "mean",
    "epochs": 200,
    "batch": 64,
    "learning_rate": 1e-3,
}


def load(folder: Path, identities: Mapping[str, str], device: str, variant: Variant) -> Mapping[str, ModalityEncoder]:
    """Modality -> encoder with the weights in `folder`."""
    from tasks.encoders.rows.neural import load_rows  # noqa: PLC0415  torch takes seconds to import

    del variant  # there is none
    return load_rows(folder, identities, device)


def width(config: Mapping[str, Any]) -> int:
    """Length of a vector of weights with this CONFIG."""
    return latent_width(config)


def convert(path: Path, name: str, folder: Path) -> None:
    """There are no released weights."""
    del path, folder
    refuse_checkpoint(name)


def train(task: EncoderTraining) -> dict[str, Any]:
    """Train on `task.rows`; `task.options` are OPTIONS."""
    from tasks.encoders.rows.neural import train_rows  # noqa: PLC0415

    return train_rows(task, "vae")
