"""Encoders: media to vectors. `load_encoder` finds one by name; torch is imported only then."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tasks.errors import NotFound

if TYPE_CHECKING:
    from tasks.encoders.base import ModalityEncoder
    from tasks.store import Store

DEMO = "audioclip-demo"  # its weights come with the package
FOLDER = "weights"


def load_encoder(store: Store, name: str) -> Mapping[str, ModalityEncoder]:
    """Modality -> encoder of the model `name`: `audioclip-demo`, or one that `weights` or `train-encoder` put into the store.

    NotFound naming the known ones otherwise.
    """
    from tasks.encoders.audioclip.encoders import encoders_of  # noqa: PLC0415  torch takes seconds to import
    from tasks.encoders.audioclip.weights import CONFIG, DEMO_FOLDER, MODEL, load_model  # noqa: PLC0415
    from tasks.store import read_artefact  # noqa: PLC0415

    if name == DEMO:
        model, sha256 = load_model(DEMO_FOLDER / MODEL, DEMO_FOLDER / CONFIG)
    else:
        artefact = read_artefact(store, weights_prefix(store, name))
        model, sha256 = load_model(artefact.path(MODEL), artefact.path(CONFIG))
    return encoders_of(model, name, sha256)


def weights_prefix(store: Store, name: str) -> str:
    """Where the weights of `name` lie in the store."""
    try:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
            raise NotFound
        version = json.loads(store.get(f"{FOLDER}/{name}/current.json", limit=4096))["version"]
    except NotFound as error:
        known = sorted({info.key.split("/")[1] for info in store.list(f"{FOLDER}/")} | {DEMO})
        raise NotFound(
            f"encoder {name!r} is not in {store.url}, expected one of {', '.join(known)}, or a name given to `weights` or `train-encoder`"
        ) from error
    return f"{FOLDER}/{name}/{version}"
