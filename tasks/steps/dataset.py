"""The dataset that `prepare` made, read back from its own files."""

from __future__ import annotations

import pandas as pd

from tasks.data import Dataset, dataset_of
from tasks.data.readers import read_prepared
from tasks.steps.plan import read_plan, run_key
from tasks.store import Artefact, Store, read_artefact


def prepared_artefact(store: Store, run: str) -> Artefact:
    """What `prepare` wrote for `run`."""
    return read_artefact(store, run_key(run, "prepare"))


def load_dataset(store: Store, run: str) -> Dataset:
    """The dataset of `run`; BadInput when its files do not belong together."""
    config = read_plan(store, run).config
    prepared = prepared_artefact(store, run)
    ids = {kind: _mapping(prepared.frame(f"{kind}_mapping.csv", dtype={f"{kind}_id": str}, keep_default_na=False), kind) for kind in ("user", "item")}
    log = read_prepared(prepared.path(f"{config.dataset}_filtered.inter"), ids["user"].to_numpy(), ids["item"].to_numpy())
    features = {modality: prepared.array(f"{modality}_filtered.npy") for modality in config.modalities}
    return dataset_of(config.dataset, log, features)


def _mapping(table: pd.DataFrame, kind: str) -> pd.Series[str]:
    """External ids in order of their row number."""
    return table.sort_values("idx")[f"{kind}_id"]
