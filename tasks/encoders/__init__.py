"""Encoders: media to vectors. `load_encoder` finds one by name; torch is imported only then."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tasks.errors import NotFound
from tasks.store.layout import NAME, WEIGHTS, weights_folder
from tasks.store.pointers import current

if TYPE_CHECKING:
    from tasks.encoders.audioclip.model import AudioCLIP
    from tasks.encoders.base import ModalityEncoder
    from tasks.store import Store

DEMO = "audioclip-demo"  # its weights come with the package
HALF = ".bfloat16"


def load_encoder(store: Store, name: str, *, device: str = "cpu") -> Mapping[str, ModalityEncoder]:
    """Modality -> encoder of the model `name`: `audioclip-demo`, or one that `weights` or `train-encoder` stored.

    With `.bfloat16` behind the name it computes in that: some three times faster on processors that have it, and other
    vectors, hence another identity. On a GPU (`device` "cuda") vectors are the same up to the order of sums. NotFound
    naming the known ones where there is no such model, BadInput where there is no such device.
    """
    from tasks.encoders.audioclip.encoders import encoders_of  # noqa: PLC0415  torch takes seconds to import

    base = name.removesuffix(HALF)
    model, sha256 = load_audioclip(store, base)
    return encoders_of(model, base, sha256, half=base != name, device=device)


def load_audioclip(store: Store, name: str) -> tuple[AudioCLIP, str]:
    """The model `name` in eval mode, and the sha256 of its weights. NotFound as `load_encoder`."""
    from tasks.encoders.audioclip.weights import CONFIG, DEMO_FOLDER, MODEL, load_model  # noqa: PLC0415
    from tasks.store import read_artefact  # noqa: PLC0415

    if name == DEMO:
        return load_model(DEMO_FOLDER / MODEL, DEMO_FOLDER / CONFIG)
    artefact = read_artefact(store, weights_prefix(store, name))
    return load_model(artefact.path(MODEL), artefact.path(CONFIG))


def weights_prefix(store: Store, name: str) -> str:
    """Where the weights of `name` lie in the store."""
    prefix = current(store, weights_folder(name)) if re.fullmatch(NAME, name) else None
    if prefix is None:
        known = sorted({info.key.split("/")[1] for info in store.list(f"{WEIGHTS}/")} | {DEMO})
        raise NotFound(
            f"encoder {name!r} is not in {store.url}, expected one of {', '.join(known)}, "
            "or a name given to `weights` or `train-encoder`"
        )
    return prefix
