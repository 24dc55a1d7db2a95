"""Writes a release of any model to a folder, without a run."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tasks.data import Dataset
from tasks.models.base import Model
from tasks.models.saved import save_model
from tasks.releases.writer import write_answers
from tasks.store import Artefact, Store, read_artefact, release_prefix, write_artefact


def released(store: Store, model: Model, data: Dataset, name: str = "r1") -> Artefact:
    """Write a release of a model fitted on `data`, with all files that consumers read."""
    prefix = release_prefix(data.name, name)
    with write_artefact(store, prefix, parameters={"model": model.name}) as out:
        for kind, ids in (("user", data.user_ids), ("item", data.item_ids)):
            out.frame(f"{kind}_mapping.csv", pd.DataFrame({f"{kind}_id": ids, "idx": np.arange(len(ids))}))
        save_model(out, model)
        write_answers(out, model, data)
    return read_artefact(store, prefix)
