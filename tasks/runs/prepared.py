"""The files of the dataset that `prepare` writes: their names, and reading them as a Dataset."""

from __future__ import annotations

import numpy as np

from tasks.data import Dataset, dataset_of, learn_all
from tasks.data.prepared import read_prepared
from tasks.errors import BadInput
from tasks.runs.plan import read_plan
from tasks.store import Artefact, Store, read_artefact
from tasks.store.layout import run_key

ITEM_FEATURES = "item_features_filtered.csv"  # item_id, idx, and source_idx: its row in the aligned matrices


def log_name(dataset: str) -> str:
    """Return the file name of the numbered and labelled log."""
    return f"{dataset}_filtered.inter"


def matrix_name(feature: str) -> str:
    """Features (items, width), row i those of item i."""
    return f"{feature}_filtered.npy"


def mapping_name(kind: str) -> str:
    """Return the file name of external ids by row number; `kind` is user or item."""
    return f"{kind}_mapping.csv"


def prepared_artefact(store: Store, run: str) -> Artefact:
    """Return the artefact that `prepare` wrote for `run`."""
    return read_artefact(store, run_key(run, "prepare"))


def load_dataset(store: Store, run: str, *, all_in_train: bool = False) -> Dataset:
    """Load the dataset of `run`, with nothing held out if `all_in_train`. BadInput if its files are inconsistent."""
    config = read_plan(store, run).config
    prepared = prepared_artefact(store, run)
    users, items = external_ids(prepared, "user"), external_ids(prepared, "item")
    log = read_prepared(prepared.path(log_name(config.dataset)), users, items)
    features = {name: prepared.array(matrix_name(name)) for name in config.feature_names}
    return dataset_of(config.dataset, learn_all(log) if all_in_train else log, features)


def external_ids(artefact: Artefact, kind: str) -> np.ndarray:
    """Return external ids (n,) by row number, from a mapping whose idx must be 0, 1, 2, ..."""
    name = mapping_name(kind)
    table = artefact.text_frame(name, idx=np.int64)
    if not np.array_equal(table["idx"], np.arange(len(table))):
        raise BadInput(f"{artefact.prefix}/{name} has an idx that does not count its rows from 0, expected it to")
    return table[f"{kind}_id"].to_numpy(dtype=np.str_)


def require_made_from(artefact: Artefact, source: Artefact) -> None:
    """Raise BadInput unless `artefact` was made from the current version of `source`."""
    if artefact.manifest.inputs.get(source.prefix) != source.manifest.sha256:
        raise BadInput(
            f"{artefact.prefix} was made from another {source.prefix} than the current one, expected the same: "
            "run the steps from there on again"
        )
