"""Encoders: media to vectors. `ENCODERS` names the architectures, `load_encoder` finds stored weights by their name.

Reading the names imports no architecture and no torch.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from tasks.errors import BadInput

if TYPE_CHECKING:
    from tasks.encoders.base import EncoderModule, ModalityEncoder
    from tasks.store import Store

ENCODERS: dict[str, str] = {
    "audioclip": "tasks.encoders.audioclip",
}
DEMO = "audioclip-demo"  # its weights come with the package
HALF = ".bfloat16"


def encoder_module(architecture: str) -> EncoderModule:
    """The module behind a name of `ENCODERS`; importing it imports no torch. BadInput naming the known ones."""
    if architecture not in ENCODERS:
        raise BadInput(f"architecture {architecture!r} of an encoder found, expected one of {', '.join(ENCODERS)}")
    return cast("EncoderModule", importlib.import_module(ENCODERS[architecture]))


def load_encoder(store: Store, name: str, *, device: str = "cpu") -> Mapping[str, ModalityEncoder]:
    """Modality -> encoder with the weights `name`: `audioclip-demo`, or what `weights` or `train-encoder` stored.

    With `.bfloat16` behind the name it computes in that: some three times faster on processors that have it, and other
    vectors, hence another identity. On a GPU (`device` "cuda") vectors are the same up to the order of sums. NotFound
    naming the known ones where there are no such weights, BadInput where there is no such device.
    """
    from tasks.encoders.identity import find_weights, identity_of  # noqa: PLC0415  they look up names of this module

    half = name.endswith(HALF)
    weights = find_weights(store, name.removesuffix(HALF))
    with weights.folder() as folder:
        return encoder_module(weights.architecture).load(folder, identity_of(weights, half=half), device, half=half)
