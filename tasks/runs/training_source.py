"""What an encoder is trained on: media of the items of a dataset, or the rows of a loaded table."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tasks.encoders.base import EncoderModule
from tasks.errors import BadInput
from tasks.runs.config import NUMBERS
from tasks.runs.inventory import check_names, content_hashes, item_of, list_media
from tasks.store import Artefact, ObjectInfo, Store
from tasks.store.layout import media_folder
from tasks.store.matrices import VECTORS, columns_of, find_matrix

log = logging.getLogger(__name__)


def find_source(
    store: Store, dataset: str, module: EncoderModule, modalities: str | None, feature: str | None
) -> Source:
    """What an architecture is trained on, by `--modalities` and `--feature`; BadInput for those that do not fit."""
    if NUMBERS in module.MODALITIES:
        return read_table(store, dataset, feature, modalities)
    if feature is not None:
        raise BadInput(f"--feature {feature} found for an encoder of media, expected --modalities")
    return read_media(store, dataset, choose_modalities(module, modalities))


def choose_modalities(module: EncoderModule, text: str | None) -> list[str]:
    """Those that are trained together: all, or those of the option; BadInput for others."""
    if len(module.MODALITIES) == 1:
        if text not in {None, *module.MODALITIES}:
            raise BadInput(f"modalities {text!r} found, expected {module.MODALITIES[0]}, or no --modalities")
        return list(module.MODALITIES)
    chosen = list(module.MODALITIES) if text is None else [word.strip() for word in text.split(",")]
    if len(set(chosen)) != len(chosen) or len(chosen) < 2 or not set(chosen) <= set(module.MODALITIES):
        raise BadInput(f"modalities {text!r} found, expected two or three of {','.join(module.MODALITIES)}")
    return chosen


@dataclass(frozen=True)
class Source:
    """What is trained on: media of items, or the rows of a table; `facts` are written beside the weights."""

    facts: dict[str, Any]
    modalities: Sequence[str] = ()
    media: Sequence[Mapping[str, ObjectInfo]] = ()
    rows: np.ndarray | None = None
    columns: Mapping[str, Any] | None = None
    table: Artefact | None = None

    def draw(self, most: int | None, seed: int) -> Source:
        """At most `most` items, drawn by the seed, in their order."""
        count = len(self.media) if self.rows is None else len(self.rows)
        if most is None or most >= count:
            return self
        log.info("%d of %d items are drawn", most, count)
        chosen = np.sort(np.random.default_rng(seed).permutation(count)[:most])
        if self.rows is None:
            return replace(self, media=[self.media[row] for row in chosen])
        return replace(self, rows=self.rows[chosen], facts=self.facts | {"most": most})

    def contents(self, store: Store, dataset: str) -> dict[str, str]:
        """Hashes of the media; a table is an artefact, which has one."""
        return hash_media(store, dataset, self.media) if self.table is None else {}


def read_media(store: Store, dataset: str, modalities: Sequence[str]) -> Source:
    """The media of the items that have all modalities."""
    media = named_media(store, dataset, modalities)
    return Source({"modalities": list(modalities)}, modalities=modalities, media=media)


def read_table(store: Store, dataset: str, feature: str | None, modalities: str | None) -> Source:
    """The rows of a loaded table."""
    if feature is None or modalities is not None:
        raise BadInput("--modalities or no --feature found for an encoder of rows, expected --feature NAME of a table")
    table = find_matrix(store, dataset, feature)
    facts = {"feature": feature}
    return Source(facts, modalities=[NUMBERS], rows=table.array(VECTORS), columns=columns_of(table), table=table)


def hash_media(store: Store, dataset: str, media: Sequence[Mapping[str, ObjectInfo]]) -> dict[str, str]:
    """The folder of the media -> sha256 over their keys and contents, which are known where the dataset was scanned."""
    objects: dict[str, list[ObjectInfo]] = {}
    for item in media:
        for modality, info in item.items():
            objects.setdefault(modality, []).append(info)
    hashes = content_hashes(store, dataset, objects, remember=False)
    lines = "\n".join(f"{key} {sha256}" for key, sha256 in sorted(hashes.items()))
    return {media_folder(dataset): hashlib.sha256(lines.encode()).hexdigest()}


def named_media(store: Store, dataset: str, modalities: Sequence[str]) -> list[dict[str, ObjectInfo]]:
    """The media of each item that has all modalities, by modality, in order of their names."""
    objects = list_media(store, dataset)
    named: dict[str, dict[str, ObjectInfo]] = {}
    for modality in modalities:
        if modality not in objects:
            raise BadInput(f"dataset {dataset!r} has no {modality}, expected media of {', '.join(modalities)}")
        files = {info.key.rpartition("/")[2]: info for info in objects[modality]}
        check_names(modality, list(files))
        named[modality] = {item_of(file): info for file, info in files.items()}
    names = sorted(set.intersection(*(set(files) for files in named.values())))
    log.info("%d items have %s", len(names), ", ".join(modalities))
    return [{modality: named[modality][name] for modality in modalities} for name in names]
