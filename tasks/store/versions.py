"""Inputs of a dataset in the store: versions by the hash of their bytes, and a pointer to the current one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.store.artefacts import Artefact, has_artefact, write_artefact
from tasks.store.base import Store, sha256_of


@dataclass(frozen=True)
class Kept:
    """The current version after a change, whether it is another one than before, and what was counted."""

    prefix: str
    changed: bool
    counts: Mapping[str, int]


def write_version(
    store: Store,
    folder: str,
    file: str,
    save: Callable[[Path], None],
    *,
    parameters: Mapping[str, object],
    counts: Mapping[str, int],
    inputs: Sequence[Artefact] = (),
) -> str:
    """Write what `save` writes under the hash of its bytes, its version, unless it is there; returns the version."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / file
        save(path)
        version = sha256_of(path)
        if not has_artefact(store, f"{folder}/{version}"):
            with write_artefact(store, f"{folder}/{version}", inputs=inputs, parameters=parameters) as out:
                shutil.copyfile(path, out.file(file))
                out.counts.update(counts)
    return version
