"""AudioCLIP: pictures, sound and text in one space (Guzhov, Raue, Hees and Dengel, 2021).

Implements `EncoderModule`. The functions import torch themselves, which takes seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.encoders.audioclip.checkpoints import CHECKPOINTS
from tasks.encoders.audioclip.preprocess import PREPROCESSING, RATE

if TYPE_CHECKING:
    from tasks.encoders.base import EncoderTraining, ModalityEncoder, Variant

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

MODALITIES = ("image", "audio", "text")
OPTIONS: dict[str, object] = {"epochs": 20, "batch": 64, "learning_rate": 2e-3, "weight_decay": 1e-2}
SHIPPED = {"audioclip-demo": Path(__file__).parent / "demo"}
HALF, HIGHEST = True, RATE // 2
LICENCES = {"audioclip-demo": "Apache-2.0"} | dict.fromkeys(CHECKPOINTS, "MIT")


def load(folder: Path, identities: Mapping[str, str], device: str, variant: Variant) -> Mapping[str, ModalityEncoder]:
    """Modality -> encoder with the weights in `folder`."""
    from tasks.encoders.audioclip.encoders import encoders_of  # noqa: PLC0415
    from tasks.encoders.audioclip.weights import load_model  # noqa: PLC0415

    return encoders_of(load_model(folder), identities, variant, device=device)


def width(config: Mapping[str, Any]) -> int:
    """Length of a vector of weights with this config.json."""
    return int(config["model"]["embed_dim"])


def convert(path: Path, name: str, folder: Path) -> None:
    """Write the released checkpoint `name`, a .pt file, as weights into `folder`."""
    from tasks.encoders.audioclip.weights import load_checkpoint, save_model  # noqa: PLC0415

    released = CHECKPOINTS[name]
    model = load_checkpoint(path, released.config)
    save_model(model, folder, half=False, facts={"source": released.url, "source_sha256": released.sha256})


def train(task: EncoderTraining) -> dict[str, Any]:
    """Train a narrow AudioCLIP; `task.options` are the fields of `training.Options`."""
    from tasks.encoders.audioclip.narrow import train_narrow  # noqa: PLC0415

    return train_narrow(task)
