"""The files of the dataset that `prepare` makes: how they are called, and the dataset read back from them."""

from __future__ import annotations

import numpy as np

from tasks.data import Dataset, dataset_of
from tasks.data.prepared import read_prepared
from tasks.errors import BadInput
from tasks.runs.plan import read_plan
from tasks.store import Artefact, Store, read_artefact
from tasks.store.layout import run_key

ITEM_FEATURES = "item_features_filtered.csv"  # item_id, idx, and source_idx: its row in the aligned matrices


def log_name(dataset: str) -> str:
    """The log, numbered and labelled."""
    return f"{dataset}_filtered.inter"


def matrix_name(feature: str) -> str:
    """Features (items, width), row i those of item i."""
    return f"{feature}_filtered.npy"


def mapping_name(kind: str) -> str:
    """External ids of users or items by row number; `kind` is user or item."""
    return f"{kind}_mapping.csv"


def prepared_artefact(store: Store, run: str) -> Artefact:
    """What `prepare` wrote for `run`."""
    return read_artefact(store, run_key(run, "prepare"))


def load_dataset(store: Store, run: str) -> Dataset:
    """The dataset of `run`; BadInput when its files do not belong together."""
    config = read_plan(store, run).config
    prepared = prepared_artefact(store, run)
    users, items = external_ids(prepared, "user"), external_ids(prepared, "item")
    log = read_prepared(prepared.path(log_name(config.dataset)), users, items)
    features = {name: prepared.array(matrix_name(name)) for name in config.feature_names}
    return dataset_of(config.dataset, log, features)


def external_ids(artefact: Artefact, kind: str) -> np.ndarray:
    """External ids (n,) by row number, of a mapping whose numbers count its rows."""
    name = mapping_name(kind)
    table = artefact.text_frame(name, idx=np.int64)
    if not np.array_equal(table["idx"], np.arange(len(table))):
        raise BadInput(f"{artefact.prefix}/{name} has an idx that does not count its rows from 0, expected it to")
    return table[f"{kind}_id"].to_numpy(dtype=np.str_)


def require_made_from(artefact: Artefact, source: Artefact) -> None:
    """BadInput unless `artefact` was made from `source` as it stands now."""
    if artefact.manifest.inputs.get(source.prefix) != source.manifest.sha256:
        raise BadInput(
            f"{artefact.prefix} was made from another {source.prefix} than stands there now, expected the same: "
            "run the steps from there on again"
        )
