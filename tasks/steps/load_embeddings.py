"""Loads precomputed embeddings into the store."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from tasks.data import RULE, compose_ids, first_odd, quote
from tasks.errors import BadInput, NotFound, one_line
from tasks.runs.config import MODALITIES, check_feature_name
from tasks.steps.options import Dataset, Modality
from tasks.store import open_store
from tasks.store.layout import check_dataset_name
from tasks.store.matrices import replace_matrix

WIDEST = 65_536
LARGEST = 16 << 30  # bytes of a matrix, which must fit into memory
LARGEST_LIST = 1 << 30  # bytes of a list of ids


def load_embeddings(
    *,
    dataset: Dataset,
    modality: Modality,
    vectors: Annotated[Path, typer.Option(help="Matrix (items, width) of floats as .npy.")],
    items: Annotated[Path, typer.Option(help="Item of each row: one a line, or a .csv with a column item_id.")],
    feature: Annotated[
        str | None, typer.Option(help="Name of the feature in runs that give names; default: that of the modality.")
    ] = None,
) -> dict[str, object]:
    """Use precomputed embeddings instead of media for one modality of a dataset.

    Row i of the matrix is the item in line i of the list. The matrix replaces the previous one; runs that have started
    keep their matrix.
    """
    if modality not in MODALITIES:
        raise BadInput(f"modality {modality!r} found, expected one of {', '.join(MODALITIES)}")
    name = feature or modality
    try:
        check_feature_name(name, modality)
    except ValueError as error:
        raise BadInput(str(error)) from error
    store, dataset = open_store(), check_dataset_name(dataset)
    matrix, ids = read_matrix(vectors), read_ids(items)
    if len(ids) != len(matrix):
        raise BadInput(
            f"{items.name} has {len(ids)} ids and {vectors.name} {len(matrix)} rows, expected one id per row"
        )
    bad = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
    if len(bad):
        raise BadInput(
            f"{vectors.name} is not finite in float32 in {len(bad)} rows, first in row {bad[0] + 1} of item "
            f"{ids[bad[0]]!r}, expected finite numbers"
        )
    kept = replace_matrix(store, dataset, name, matrix, ids, parameters={"source": vectors.name})
    return {"matrix": kept.prefix, "changed": kept.changed, "items": len(ids), "width": matrix.shape[1]}


def read_matrix(path: Path) -> np.ndarray:
    """Read (items, width) float32 from a .npy file; first checks the header, also against the file's size."""
    if not path.is_file():
        raise NotFound(f"{path} does not exist, expected a .npy file")
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(file)
            size = path.stat().st_size - file.tell()
    except ValueError as error:
        raise BadInput(f"{path.name} is not a .npy array of numbers: {one_line(error)}") from error
    if len(shape) != 2 or not np.issubdtype(dtype, np.floating):
        raise BadInput(f"{path.name} holds {dtype} of shape {shape}, expected floats of shape (items, width)")
    if shape[0] < 1 or not 0 < shape[1] <= WIDEST:
        raise BadInput(f"{path.name} has shape {shape}, expected at least one row and a width from 1 to {WIDEST}")
    promised = math.prod(shape) * dtype.itemsize
    if promised != size or promised > LARGEST:
        raise BadInput(
            f"{path.name} has {size} bytes after a header of {dtype} of shape {shape}, expected {promised}, at most "
            f"{LARGEST}"
        )
    with np.errstate(over="ignore"):  # values beyond float32 become infinite and are refused
        return np.ascontiguousarray(np.load(path, mmap_mode="r", allow_pickle=False), dtype=np.float32)


def read_ids(path: Path) -> list[str]:
    """Read item ids in order; raises BadInput for invalid or repeated ids."""
    if not path.is_file():
        raise NotFound(f"{path} does not exist, expected item ids")
    if path.stat().st_size > LARGEST_LIST:
        raise BadInput(f"{path.name} has {path.stat().st_size} bytes, expected at most {LARGEST_LIST}")
    try:
        ids = _column(path) if path.suffix.lower() == ".csv" else _lines(path)
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise BadInput(f"{path.name} is not a list of ids: {one_line(error)}") from error
    odd = first_odd(ids)
    if odd is not None:
        raise BadInput(f"{path.name} has the id {quote(ids[odd])} in row {odd + 1}, expected {RULE}")
    counts = pd.Series(ids, dtype=str).value_counts()
    if len(counts) and counts.iloc[0] > 1:
        raise BadInput(f"{path.name} has {quote(counts.index[0])} {counts.iloc[0]} times, expected each item once")
    return compose_ids(ids, path.name)


def _column(path: Path) -> list[str]:
    table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    if "item_id" not in table.columns:
        raise BadInput(f"{path.name} has columns {list(table.columns)[:20]}, expected item_id")
    return [str(item) for item in table["item_id"]]


def _lines(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8-sig").split(
        "\n"
    )  # universal newlines; splitlines() also splits at other characters
    return lines[:-1] if lines[-1] == "" else lines
