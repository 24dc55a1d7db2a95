"""Encoder weights in the store, content-addressed, with a pointer to the current version of each name."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from tasks.encoders import BUNDLES, list_shipped, split_name
from tasks.encoders.base import CONFIG, MODEL
from tasks.errors import BadInput
from tasks.store import Artefact, Store, sha256_of, write_artefact
from tasks.store.layout import weights_folder
from tasks.store.pointers import point


def check_encoder_name(name: str) -> str:
    """Return `name` if it is a valid encoder name; those of the shipped encoders are reserved."""
    shipped = [*list_shipped(), *BUNDLES]
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,54}", name) or name in shipped or split_name(name)[0] != name:
        raise BadInput(
            f"encoder name {name!r} found, expected at most 55 letters, digits and . _ -, "
            f"none of {', '.join(shipped)}, not ending in .bfloat16 or a bandwidth as .7200hz"
        )
    return name


def put_weights(
    store: Store,
    name: str,
    folder: Path,
    architecture: str,
    *,
    inputs: Sequence[Artefact] = (),
    media: Mapping[str, str] | None = None,
    parameters: Mapping[str, object] | None = None,
    more: Sequence[str] = (),
) -> str:
    """Store FOLDER's MODEL and CONFIG, and `more` files, as the current weights of `name`; returns their prefix.

    `architecture` is a name of `ENCODERS`. The manifest says what they were made from: `inputs`, `media` (folder ->
    sha256 over what was used of it) and `parameters`.
    """
    version = sha256_of(folder / MODEL)
    prefix = f"{weights_folder(check_encoder_name(name))}/{version}"
    facts = {"architecture": architecture, **(parameters or {})}
    with write_artefact(store, prefix, inputs=inputs, sources=media, parameters=facts) as out:
        for file in (MODEL, CONFIG, *more):
            shutil.copyfile(folder / file, out.file(file))
    point(store, weights_folder(name), version)
    return prefix
