"""The ready-made matrix of a feature in the store: versions by content, and a pointer to the current one."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tasks.errors import NotFound
from tasks.store.artefacts import Artefact, has_artefact, read_artefact, write_artefact
from tasks.store.base import Store
from tasks.store.layout import matrix_folder
from tasks.store.pointers import current, point
from tasks.store.versions import Kept

log = logging.getLogger(__name__)
VECTORS, IDS, COLUMNS = "vectors.npy", "items.csv", "columns.json"


def replace_matrix(
    store: Store,
    dataset: str,
    feature: str,
    matrix: np.ndarray,
    ids: Sequence[str],
    *,
    parameters: Mapping[str, object],
    columns: Mapping[str, Any] | None = None,
) -> Kept:
    """Make `matrix` (items, width) float32 the current one of a feature; row i is of item `ids[i]`.

    `columns`: what is known of its columns where they have names, as JSON values (see `columns_of`).
    """
    folder = matrix_folder(dataset, feature)
    version = digest(matrix, ids, columns)
    prefix = f"{folder}/{version}"
    if not has_artefact(store, prefix):
        with write_artefact(store, prefix, parameters=parameters) as out:
            out.array(VECTORS, matrix)
            out.frame(IDS, pd.DataFrame({"item_id": ids}))
            if columns is not None:
                out.json(COLUMNS, dict(columns))
            out.counts["items"] = len(ids)
    changed = current(store, folder) != prefix
    point(store, folder, version)
    log.info("%s of %s: %d items, width %d", feature, dataset, *matrix.shape)
    if not changed:
        log.info("this matrix is already the current one")
    return Kept(prefix, changed, {"items": len(ids)})


def find_matrix(store: Store, dataset: str, feature: str) -> Artefact:
    """The current matrix of a feature. NotFound if it has none."""
    prefix = current(store, matrix_folder(dataset, feature))
    if prefix is None:
        raise NotFound(
            f"feature {feature!r} of dataset {dataset!r} has no loaded table, expected one: `load-features` or "
            "`load-embeddings` loads it"
        )
    return read_artefact(store, prefix)


def columns_of(matrix: Artefact) -> dict[str, Any] | None:
    """Names of the columns, scale, offsets and divisors of a table of descriptors; None for other matrices."""
    return matrix.json(COLUMNS) if COLUMNS in matrix.manifest.files else None


def digest(matrix: np.ndarray, ids: Sequence[str], columns: Mapping[str, Any] | None = None) -> str:
    """Return the sha256 of shape, numbers and ids, and of what is known of the columns."""
    hashed = hashlib.sha256(f"{matrix.shape}\n".encode())
    hashed.update(matrix.data)
    hashed.update("\n".join(ids).encode())
    hashed.update(json.dumps(columns, sort_keys=True).encode() if columns is not None else b"")
    return hashed.hexdigest()
