"""MiniLM: texts by a sentence encoder of six layers (Wang et al. 2020; Reimers and Gurevych 2019).

Implements `EncoderModule`. `minilm` has the weights of sentence-transformers/all-MiniLM-L6-v2, from a package. The
network is our own: `transformers` takes seconds to import, and imports torchaudio on its way.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.encoders.base import MODEL
from tasks.encoders.minilm.config import FULL, MiniLMConfig
from tasks.encoders.minilm.vocabulary import PACKAGE
from tasks.errors import BadInput

if TYPE_CHECKING:
    from tasks.encoders.base import Checkpoint, EncoderTraining, ModalityEncoder, Variant

MODALITIES = ("text",)
PREPROCESSING = "p1"
CHECKPOINTS: Mapping[str, Checkpoint] = {}
OPTIONS: Mapping[str, object] = {}
SHIPPED = {"minilm": PACKAGE}
HALF, HIGHEST = True, 0
LICENCES = dict.fromkeys(SHIPPED, "Apache-2.0")


def load(folder: Path, identities: Mapping[str, str], device: str, variant: Variant) -> Mapping[str, ModalityEncoder]:
    """Modality -> encoder with the weights in `folder`."""
    from tasks.encoders.minilm.encoder import encoder_of  # noqa: PLC0415

    return {"text": encoder_of(folder, identities["text"], device, half=variant.half)}


def width(config: Mapping[str, Any]) -> int:
    """Length of a vector of weights with this CONFIG."""
    return MiniLMConfig.model_validate(config).hidden


def convert(path: Path, name: str, folder: Path) -> None:
    """Write the .safetensors file of a BertModel as weights into `folder`: it stays as it is."""
    from tasks.encoders.states import write_config  # noqa: PLC0415

    (folder / MODEL).symlink_to(path)
    write_config(folder, FULL)


def train(task: EncoderTraining) -> dict[str, Any]:
    """It is not trained here. Raises BadInput."""
    raise BadInput("architecture 'minilm' cannot be trained, expected audioclip")
