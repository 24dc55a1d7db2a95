"""Take a ready-made embedding matrix into the store."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from tasks.errors import BadInput, NotFound
from tasks.steps.inputs import checked_dataset, current, matrix_folder, point
from tasks.steps.options import Dataset, Modality
from tasks.steps.plan import MODALITIES
from tasks.store import has_artefact, open_store, write_artefact

log = logging.getLogger(__name__)
WIDEST = 65_536


def load_embeddings(
    *,
    dataset: Dataset,
    modality: Modality,
    vectors: Annotated[Path, typer.Option(help="Matrix (items, width) of floats as .npy.")],
    items: Annotated[Path, typer.Option(help="Item ids, row i for row i of the matrix: one a line, or a .csv with column item_id.")],
) -> dict[str, object]:
    """Use a matrix that exists already instead of media for one modality of a dataset."""
    store, folder = open_store(), matrix_folder(checked_dataset(dataset), modality)
    if modality not in MODALITIES:
        raise BadInput(f"modality {modality!r} found, expected one of {', '.join(MODALITIES)}")
    matrix, ids = read_matrix(vectors), read_ids(items)
    if len(ids) != len(matrix):
        raise BadInput(f"{items.name} has {len(ids)} ids and {vectors.name} {len(matrix)} rows, expected one id a row")
    bad = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
    if len(bad):
        raise BadInput(f"{vectors.name} is not finite in {len(bad)} rows, first of item {ids[bad[0]]!r}, expected finite numbers")
    version = hashlib.sha256(matrix.tobytes() + "\n".join(ids).encode()).hexdigest()
    prefix = f"{folder}/{version}"
    if not has_artefact(store, prefix):
        with write_artefact(store, prefix, parameters={"source": vectors.name}) as out:
            out.array("vectors.npy", matrix)
            out.frame("items.csv", pd.DataFrame({"item_id": ids}))
            out.counts["items"] = len(ids)
    changed = current(store, folder) != prefix
    point(store, folder, version)
    log.info("%s of %s: %d items, width %d%s", modality, dataset, *matrix.shape, "" if changed else " (the current one already)")
    return {"matrix": prefix, "changed": changed, "items": len(ids), "width": matrix.shape[1]}


def read_matrix(path: Path) -> np.ndarray:
    """(items, width) float32 of a .npy file. Its header is checked against the file's size before anything is allocated."""
    if not path.is_file():
        raise NotFound(f"{path} does not exist, expected a .npy file")
    try:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise BadInput(f"{path.name} is not a readable .npy array of numbers: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(mapped, np.ndarray) or mapped.ndim != 2 or not np.issubdtype(mapped.dtype, np.floating):
        found = f"{mapped.dtype} of shape {mapped.shape}" if isinstance(mapped, np.ndarray) else type(mapped).__name__
        raise BadInput(f"{path.name} holds {found}, expected floats of shape (items, width)")
    if not mapped.shape[0] or not 0 < mapped.shape[1] <= WIDEST:
        raise BadInput(f"{path.name} has shape {mapped.shape}, expected at least one row and a width from 1 to {WIDEST}")
    largest = np.abs(mapped, where=np.isfinite(mapped), out=np.zeros(mapped.shape, mapped.dtype)).max()
    if largest > np.finfo(np.float32).max:
        raise BadInput(f"{path.name} reaches {largest:g}, expected numbers that fit float32")
    return np.ascontiguousarray(mapped, dtype=np.float32)


def read_ids(path: Path) -> list[str]:
    """Item ids in order; BadInput when one is empty or occurs twice."""
    if not path.is_file():
        raise NotFound(f"{path} does not exist, expected item ids")
    if path.suffix == ".csv":
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        if "item_id" not in table.columns:
            raise BadInput(f"{path.name} has columns {list(table.columns)}, expected item_id")
        ids = table["item_id"].tolist()
    else:
        ids = path.read_text(encoding="utf-8-sig").splitlines()
    for row, item in enumerate(ids, 1):
        if item != item.strip() or not item:
            raise BadInput(f"{path.name} has the id {item!r} in row {row}, expected ids without blanks around them")
    counts = pd.Series(ids).value_counts()
    if len(counts) and counts.iloc[0] > 1:
        raise BadInput(f"{path.name} has {counts.index[0]!r} {counts.iloc[0]} times, expected each item once")
    return [str(item) for item in ids]
