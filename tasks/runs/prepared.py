"""The files of the dataset that `prepare` writes: their names, and reading them as a Dataset."""

from __future__ import annotations

import numpy as np

from tasks.data import Dataset, dataset_of, learn_all
from tasks.data.outside import Outside
from tasks.data.prepared import read_prepared
from tasks.errors import BadInput
from tasks.runs.plan import read_plan
from tasks.store import Artefact, Store, read_artefact
from tasks.store.layout import run_key

ARRIVALS = "arrivals.csv"  # item_id, idx from K on, and source_idx as below
OTHER_USERS = "other_users.csv"  # user_id, idx from U on
BEYOND = {"user": OTHER_USERS, "item": ARRIVALS}
ITEM_FEATURES = "item_features_filtered.csv"  # item_id, idx, and source_idx: its row in the aligned matrices


def log_name(dataset: str) -> str:
    """Return the file name of the numbered and labelled log."""
    return f"{dataset}_filtered.inter"


def matrix_name(feature: str) -> str:
    """Features (items, width), row i those of item i."""
    return f"{feature}_filtered.npy"


def arrivals_name(feature: str) -> str:
    """Features (A, width) of the arrivals, row i those of item K + i."""
    return f"{feature}_arrivals.npy"


def outside_name(dataset: str) -> str:
    """Return the file name of the numbered rows that are not in the dataset, without labels."""
    return f"{dataset}_outside.inter"


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


def load_outside(store: Store, run: str) -> Outside:
    """Load what `prepare` kept beside the dataset of `run`; BadInput for one that an earlier version prepared."""
    config = read_plan(store, run).config
    prepared = prepared_artefact(store, run)
    if ARRIVALS not in prepared.manifest.files:
        raise BadInput(
            f"{prepared.prefix} has no {ARRIVALS}, expected it: an earlier version prepared it, so run it again"
        )
    users, items = (external_ids(prepared, kind, beyond=True) for kind in ("user", "item"))
    rows = read_prepared(prepared.path(outside_name(config.dataset)), users, items, labelled=False)
    return Outside(rows, {name: prepared.array(arrivals_name(name)) for name in config.feature_names})


def external_ids(artefact: Artefact, kind: str, *, beyond: bool = False) -> np.ndarray:
    """Return external ids (n,) by row number, from a mapping whose idx must be 0, 1, 2, ...

    `beyond`: followed by the users outside the dataset, or by the arrivals, whose idx must count on.
    """
    ids: list[np.ndarray] = []
    for name in (mapping_name(kind), BEYOND[kind])[: 1 + beyond]:
        table = artefact.text_frame(name, idx=np.int64)
        first = sum(map(len, ids))
        if not np.array_equal(table["idx"], first + np.arange(len(table))):
            raise BadInput(
                f"{artefact.prefix}/{name} has an idx that does not count its rows from {first}, expected it to"
            )
        ids.append(table[f"{kind}_id"].to_numpy(dtype=np.str_))
    return np.concatenate(ids)
