"""Finds stored weights by name and computes the identity of their vectors, without torch and without loading them.

An identity is `<name>@<first 12 of the weights' sha256>-<preprocessing version>[-<bandwidth>hz]-<dtype>`. It is part
of the keys of the embedding cache, so a change of any of these invalidates cached vectors.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.encoders import BUNDLES, encoder_module, list_shipped, members_of, split_name
from tasks.encoders.base import CONFIG, MODEL, Variant
from tasks.encoders.packages import Package
from tasks.errors import BadInput, NotFound
from tasks.store import Artefact, Store, read_artefact, sha256_of
from tasks.store.layout import NAME, WEIGHTS, weights_folder
from tasks.store.pointers import current

BEFORE_ENCODERS = "audioclip"  # the architecture of weights stored before manifests named one


@dataclass(frozen=True)
class Weights:
    """Stored weights: their name, architecture (of `ENCODERS`), sha256 and location."""

    name: str
    architecture: str
    sha256: str
    source: Artefact | Path | Package  # in the store, shipped with the code, or in an installed package

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A folder with their verified files, removed at the end of the block."""
        if isinstance(self.source, Path):
            yield self.source
            return
        with tempfile.TemporaryDirectory() as scratch:
            if isinstance(self.source, Package):
                path = self.source.path(self.source.weights)
                encoder_module(self.architecture).convert(path, self.name, Path(scratch))
                yield Path(scratch)
                return
            for file in self.source.manifest.files:
                (Path(scratch) / file).symlink_to(self.source.path(file))
            yield Path(scratch)

    def config(self) -> Mapping[str, Any]:
        """Their CONFIG; weights are not read."""
        if isinstance(self.source, Package):
            return self.source.config
        path = self.source / CONFIG if isinstance(self.source, Path) else self.source.path(CONFIG)
        found: dict[str, Any] = json.loads(path.read_bytes())
        return found


def find_weights(store: Store, name: str) -> Weights:
    """The current weights of `name`; the files are not read.

    NotFound naming the known weights if there are none, or the package that is not installed.
    """
    shipped = list_shipped()
    if name in shipped:
        architecture, source = shipped[name]
        if isinstance(source, Package):
            source.require()
            return Weights(name, architecture, source.sha256, source)
        return Weights(name, architecture, sha256_of(source / MODEL), source)
    prefix = current(store, weights_folder(name)) if re.fullmatch(NAME, name) else None
    if prefix is None:
        known = sorted({*list_stored(store), *shipped, *BUNDLES})
        raise NotFound(
            f"encoder {name!r} is not in {store.url}, expected one of {', '.join(known)}, "
            "or a name given to `weights` or `train-encoder`"
        )
    artefact = read_artefact(store, prefix)
    architecture = str(artefact.manifest.parameters.get("architecture", BEFORE_ENCODERS))
    return Weights(name, architecture, artefact.manifest.files[MODEL].sha256, artefact)


def list_stored(store: Store) -> list[str]:
    """Names of the weights in the store."""
    return sorted({info.key.split("/")[1] for info in store.list(f"{WEIGHTS}/")})


def identities_of(weights: Weights, variant: Variant) -> dict[str, str]:
    """Modality -> identity of the vectors that these weights give. BadInput if they cannot be used so."""
    module = encoder_module(weights.architecture)
    if variant.half and not module.HALF:
        raise BadInput(f"encoder {weights.name!r} in bfloat16 found, expected no .bfloat16: it has float32 alone")
    if variant.bandwidth is not None and variant.bandwidth > module.HIGHEST:
        heard = f"at most {module.HIGHEST} Hz, which is all it hears" if module.HIGHEST else "none: it has no sounds"
        raise BadInput(f"encoder {weights.name!r} with a bandwidth of {variant.bandwidth} Hz found, expected {heard}")
    dtype = "bfloat16" if variant.half else "float32"

    def identity(modality: str) -> str:
        band = f"-{variant.bandwidth}hz" if modality == "audio" and variant.bandwidth else ""
        return f"{weights.name}@{weights.sha256[:12]}-{module.PREPROCESSING}{band}-{dtype}"

    return {modality: identity(modality) for modality in module.MODALITIES}


def identify(store: Store, name: str) -> dict[str, str]:
    """Modality -> identity of its encoder, for every modality that `load_encoder` of `name` gives one for."""
    identities: dict[str, str] = {}
    for member in members_of(name):
        plain, variant = split_name(member)
        identities |= identities_of(find_weights(store, plain), variant)
    return identities
