"""musicnn: sounds by a network that was trained to tell fifty tags of music (Pons and Serra 2019).

Implements `EncoderModule`. `musicnn` gives the 200 numbers before the tags, `musicnn-tags` the probability of each of
TAGS. Both have the weights of the package musicnn from the Million Song Dataset; its TensorFlow is not needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.encoders.musicnn.config import RATE, MusicnnConfig
from tasks.encoders.packages import Package
from tasks.errors import BadInput

if TYPE_CHECKING:
    from tasks.encoders.base import Checkpoint, EncoderTraining, ModalityEncoder, Variant

MODALITIES = ("audio",)
PREPROCESSING = "p1"
CHECKPOINTS: Mapping[str, Checkpoint] = {}
OPTIONS: Mapping[str, object] = {}
INDEX = "musicnn/MSD_musicnn/.index"
FILES = {
    "musicnn/MSD_musicnn/.data-00000-of-00001": "8579734ee6388f799ed0def4bbd0d1fdcbeaf213ef2a9dc860917bd76a303de6",
    INDEX: "87f3e0f3550c8d3bafc840374003e5c8af5eeb5ecf6add61af09a7822d3282c8",
}
SHIPPED = {
    "musicnn": Package("musicnn", "0.1.0", FILES, MusicnnConfig(output="units").model_dump(mode="json")),
    "musicnn-tags": Package("musicnn", "0.1.0", FILES, MusicnnConfig(output="tags").model_dump(mode="json")),
}
HALF, HIGHEST = False, RATE // 2
LICENCES = dict.fromkeys(SHIPPED, "ISC")


def load(folder: Path, identities: Mapping[str, str], device: str, variant: Variant) -> Mapping[str, ModalityEncoder]:
    """Modality -> encoder with the weights in `folder`."""
    from tasks.encoders.musicnn.encoder import encoder_of  # noqa: PLC0415

    return {"audio": encoder_of(folder, identities["audio"], device, variant.bandwidth)}


def width(config: Mapping[str, Any]) -> int:
    """Length of a vector of weights with this CONFIG."""
    return MusicnnConfig.model_validate(config).width


def convert(path: Path, name: str, folder: Path) -> None:
    """Write TensorFlow's checkpoint, whose index the package has, too, as weights into `folder`."""
    from tasks.encoders.musicnn.weights import load_released, save_model  # noqa: PLC0415

    package = SHIPPED[name]
    save_model(load_released(package.path(INDEX), path, MusicnnConfig.model_validate(package.config)), folder)


def train(task: EncoderTraining) -> dict[str, Any]:
    """It is not trained here. Raises BadInput."""
    raise BadInput("architecture 'musicnn' cannot be trained, expected audioclip")
