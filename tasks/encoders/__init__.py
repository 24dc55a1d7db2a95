"""Encoders: media to vectors. `ENCODERS` names the architectures, `load_encoder` finds stored weights by their name.

Reading the names imports no architecture and no torch.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from tasks.errors import BadInput

if TYPE_CHECKING:
    from tasks.encoders.base import EncoderModule, ModalityEncoder, Variant
    from tasks.encoders.packages import Package
    from tasks.store import Store

ENCODERS: dict[str, str] = {
    "audioclip": "tasks.encoders.audioclip",
    "mobilenet": "tasks.encoders.mobilenet",
    "minilm": "tasks.encoders.minilm",
    "musicnn": "tasks.encoders.musicnn",
    "pca": "tasks.encoders.rows.pca",  # these take the rows of a loaded table in place of media
    "autoencoder": "tasks.encoders.rows.autoencoder",
    "vae": "tasks.encoders.rows.vae",
    "picture-autoencoder": "tasks.encoders.art.autoencoder",
    "picture-vae": "tasks.encoders.art.vae",
}
DEMO = "audioclip-demo"  # its weights come with the package
BUNDLES = {"offline": ("mobilenet", "musicnn", "minilm")}  # names that stand for several, each of other modalities
VARIANT = re.compile(r"(?P<weights>.*?)(?:\.(?P<hertz>\d+)hz)?(?P<half>\.bfloat16)?")
BANDWIDTHS = range(1_000, 20_001)  # Hz


def encoder_module(architecture: str) -> EncoderModule:
    """The module behind a name of `ENCODERS`; importing it imports no torch. BadInput naming the known ones."""
    if architecture not in ENCODERS:
        raise BadInput(f"architecture {architecture!r} of an encoder found, expected one of {', '.join(ENCODERS)}")
    return cast("EncoderModule", importlib.import_module(ENCODERS[architecture]))


def list_shipped() -> dict[str, tuple[str, Path | Package]]:
    """Name of the weights that come with the code or in packages -> architecture, and the folder or package."""
    return {
        name: (architecture, source)
        for architecture in ENCODERS
        for name, source in encoder_module(architecture).SHIPPED.items()
    }


def split_name(name: str) -> tuple[str, Variant]:
    """The name of the weights, and how they are used: `NAME`, `NAME.7200hz`, `NAME.bfloat16`, `NAME.7200hz.bfloat16`.

    BadInput for a bandwidth that none hears, or that no sound goes beyond.
    """
    from tasks.encoders.base import Variant  # noqa: PLC0415  it needs numpy, and who reads names does not

    parts = VARIANT.fullmatch(name)
    if parts is None or parts["hertz"] is None:
        weights = name if parts is None else parts["weights"]
        return weights, Variant(half=parts is not None and parts["half"] is not None)
    hertz = int(parts["hertz"])
    if hertz not in BANDWIDTHS:
        raise BadInput(
            f"encoder {name!r} with a bandwidth of {hertz} Hz found, expected {BANDWIDTHS[0]} to {BANDWIDTHS[-1]}: "
            "below .45 of the lowest rate of the sounds"
        )
    return parts["weights"], Variant(half=parts["half"] is not None, bandwidth=hertz)


def members_of(name: str) -> list[str]:
    """The encoders behind a name of BUNDLES, each with the variant as far as it concerns it; else the name alone."""
    plain, variant = split_name(name)
    if plain not in BUNDLES:
        return [name]
    half, shipped = ".bfloat16" if variant.half else "", list_shipped()
    members = []
    for member in BUNDLES[plain]:
        hears = variant.bandwidth is not None and encoder_module(shipped[member][0]).HIGHEST
        members.append(f"{member}{f'.{variant.bandwidth}hz' if hears else ''}{half}")
    return members


def load_encoder(store: Store, name: str, *, device: str = "cpu") -> Mapping[str, ModalityEncoder]:
    """Modality -> encoder with the weights `name`: of `list_shipped`, or what `weights` or `train-encoder` stored.

    With `.bfloat16` behind the name it computes in that: faster on processors that have it. With `.7200hz` nothing
    above is heard of sounds, so that those of 16 kHz and more can be compared. Both give other vectors, hence another
    identity. On a GPU (`device` "cuda") vectors are the same up to the order of sums. NotFound naming the known ones
    where there are no such weights, BadInput where there is no such device, or the encoder has no such variant.
    The encoders of a bundle are loaded one by one, when they are looked up.
    """
    from tasks.encoders.identity import find_weights, identities_of  # noqa: PLC0415  they look up names of this module

    plain, variant = split_name(name)
    if plain in BUNDLES:
        from tasks.encoders.bundle import Bundle  # noqa: PLC0415  likewise

        return Bundle(store, name, device)
    weights = find_weights(store, plain)
    with weights.folder() as folder:
        identities = identities_of(weights, variant)
        return encoder_module(weights.architecture).load(folder, identities, device, variant)
