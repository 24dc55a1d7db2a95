"""The dataset that `prepare` made, read back from its own files."""

from __future__ import annotations

import numpy as np

from tasks.data import Dataset, dataset_of
from tasks.data.readers import read_prepared
from tasks.errors import BadInput
from tasks.steps.plan import read_plan, run_key
from tasks.store import Artefact, Store, read_artefact


def prepared_artefact(store: Store, run: str) -> Artefact:
    """What `prepare` wrote for `run`."""
    return read_artefact(store, run_key(run, "prepare"))


def load_dataset(store: Store, run: str) -> Dataset:
    """The dataset of `run`; BadInput when its files do not belong together."""
    config = read_plan(store, run).config
    prepared = prepared_artefact(store, run)
    users, items = external_ids(prepared, "user"), external_ids(prepared, "item")
    log = read_prepared(prepared.path(f"{config.dataset}_filtered.inter"), users, items)
    features = {modality: prepared.array(f"{modality}_filtered.npy") for modality in config.modalities}
    return dataset_of(config.dataset, log, features)


def external_ids(artefact: Artefact, kind: str) -> np.ndarray:
    """External ids (n,) by row number, of a mapping whose numbers count its rows."""
    name = f"{kind}_mapping.csv"
    table = artefact.frame(name, dtype={f"{kind}_id": str, "idx": np.int64}, keep_default_na=False)
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
