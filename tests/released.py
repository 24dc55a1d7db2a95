"""Writes a release of any model to a folder, without a run."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tasks.data import Dataset
from tasks.data.outside import Outside
from tasks.data.records import Records
from tasks.models.base import Model
from tasks.models.saved import save_model
from tasks.releases.catalogue import OFF, Catalogue
from tasks.releases.server import Ranked
from tasks.releases.writer import write_answers
from tasks.runs.prepared import BEYOND, mapping_name
from tasks.store import Artefact, Store, read_artefact, release_prefix, write_artefact


def released(
    store: Store,
    model: Model,
    data: Dataset,
    name: str = "r1",
    *,
    outside: Outside | None = None,
    catalogue: Catalogue | None = None,
    records: Records | None = None,
) -> Artefact:
    """Write a release of a model fitted on `data`, with all files that consumers read."""
    prefix = release_prefix(data.name, name)
    with write_artefact(store, prefix, parameters={"model": model.name}) as out:
        beyond = outside or Outside.nothing(data)
        for kind, ids in (("user", beyond.interactions.user_ids), ("item", beyond.interactions.item_ids)):
            frame, count = pd.DataFrame({f"{kind}_id": ids, "idx": np.arange(len(ids))}), data.shape[kind == "item"]
            out.frame(mapping_name(kind), frame[:count])
            out.frame(BEYOND[kind], frame[count:])
        save_model(out, model)
        write_answers(out, model, data, beyond, catalogue or Catalogue(data.shape[1], None, OFF), records)
    return read_artefact(store, prefix)


def by_item(found: list[Ranked]) -> dict[str, float]:
    """Item -> score."""
    return {one.item: one.score for one in found}
