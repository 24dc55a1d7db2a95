"""The features of the items of a run by item, with what they lack filled, and which were."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from tasks.data.missing import Given, Missing, fill
from tasks.errors import BadInput
from tasks.store import Artefact

FILLED = "filled.csv"  # item_id, idx and feature of each vector that is not of the item's own medium


def read_given(aligned: Artefact, names: list[str], item_ids: np.ndarray) -> dict[str, np.ndarray]:
    """Return feature -> row (n,) of each item in its aligned matrix, -1 for an item that lacks it."""
    wanted = pd.Index(item_ids.tolist())
    return {name: pd.Index(aligned.text_frame(f"{name}_items.csv")["item_id"]).get_indexer(wanted) for name in names}


def list_filled(places: dict[str, np.ndarray], item_ids: np.ndarray) -> pd.DataFrame:
    """Return one row (item_id, idx, feature) for each vector that an item lacks."""
    parts = [(name, np.flatnonzero(rows < 0)) for name, rows in places.items()]
    idx = np.concatenate([rows for _, rows in parts])
    names = np.repeat([name for name, _ in parts], [len(rows) for _, rows in parts])
    return pd.DataFrame({"item_id": item_ids[idx], "idx": idx, "feature": names})


def feature_rows(
    aligned: Artefact, places: dict[str, np.ndarray], known: int, policy: Missing
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield feature and its vectors (n, width), filled by `policy`, which is fitted on the first `known` items.

    Raises BadInput if an item lacks a feature and `policy` is drop.
    """
    given: Given = {name: rows >= 0 for name, rows in places.items()}
    for name, has in given.items():
        if policy == "drop" and not has.all():
            raise BadInput(
                f"{int((~has).sum())} items have no row in {aligned.prefix}/{name}.npy, expected each to have one: run "
                "align again"
            )
    if all(has.all() for has in given.values()):
        for name, rows in places.items():  # one after the other: all may not fit into memory
            yield name, _matrix(aligned, name)[rows]
        return
    features = {name: _matrix(aligned, name)[rows] for name, rows in places.items()}
    train = np.arange(len(next(iter(places.values())))) < known
    yield from fill(features, given, train, policy).items()


def _matrix(aligned: Artefact, name: str) -> np.ndarray:
    matrix, keys = aligned.array(f"{name}.npy"), len(aligned.text_frame(f"{name}_items.csv"))
    if len(matrix) != keys:
        raise BadInput(f"{aligned.prefix}/{name}.npy has {len(matrix)} rows, expected {keys} as {name}_items.csv has")
    return matrix
