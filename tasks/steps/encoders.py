"""Lists the encoders: those that come with the code or in packages, those of the store, and those to be downloaded."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tasks.encoders import BUNDLES, ENCODERS, encoder_module, list_shipped
from tasks.encoders.base import Variant
from tasks.encoders.identity import find_weights, identities_of, list_stored
from tasks.encoders.packages import Package
from tasks.store import Store, open_store

log = logging.getLogger(__name__)
HEAD = {
    "name": "name",
    "modalities": "of",
    "width": "width",
    "installed": "there",
    "licence": "licence",
    "needs": "needs",
}


def encoders() -> dict[str, object]:
    """List every encoder: what it encodes, the length of its vectors, its licence, what it needs, and if that is there.

    The identity is that of its vectors in the cache, without bfloat16 and bandwidth; that of a bundle, such as
    `offline`, is its members'. No weights are loaded.
    """
    rows = list(list_encoders(open_store()))
    for line in format_table(rows):
        log.info("%s", line)
    return {"encoders": rows}


def list_encoders(store: Store) -> Iterator[dict[str, Any]]:
    """Name, modalities, width, installed, licence, needs and identity of each."""
    shipped, stored = list_shipped(), list_stored(store)
    for name, (architecture, source) in shipped.items():
        needs = f"package {source.name}=={source.version}" if isinstance(source, Package) else ""
        there = not isinstance(source, Package) or source.installed
        config = source.config if isinstance(source, Package) else find_weights(store, name).config()
        yield _row(store, name, architecture, needs, config, there=there)
    for name, members in BUNDLES.items():
        yield {
            "name": name,
            "modalities": [modality for one in members for modality in encoder_module(shipped[one][0]).MODALITIES],
            "width": None,
            "installed": all(not isinstance(source := shipped[one][1], Package) or source.installed for one in members),
            "licence": None,
            "needs": ", ".join(members),
            "identity": None,
        }
    for name in stored:
        weights = find_weights(store, name)
        yield _row(store, name, weights.architecture, "", weights.config(), there=True)
    for architecture in ENCODERS:
        for name in encoder_module(architecture).CHECKPOINTS:
            if name not in stored:
                yield _row(store, name, architecture, f"command `weights {name}`", None, there=False)


def _row(
    store: Store, name: str, architecture: str, needs: str, config: Mapping[str, Any] | None, *, there: bool
) -> dict[str, Any]:
    module = encoder_module(architecture)
    identity = None
    if there:  # it differs by modality with a bandwidth alone
        identity = next(iter(identities_of(find_weights(store, name), Variant()).values()))
    return {
        "name": name,
        "modalities": list(module.MODALITIES),
        "width": None if config is None else module.width(config),
        "installed": there,
        "licence": module.LICENCES.get(name),
        "needs": needs,
        "identity": identity,
    }


def format_table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Lines to show."""
    table = [list(HEAD.values()), *([_cell(row[key]) for key in HEAD] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for cells in table:
        yield "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else "-" if value is None else str(value)
