"""One row an item in every modality: what could not be encoded in one is left out of all."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd

from tasks.data import numbering
from tasks.errors import ValidationFailed
from tasks.steps.options import Run
from tasks.steps.plan import read_plan, run_key
from tasks.store import open_store, read_artefact, write_artefact

log = logging.getLogger(__name__)


def align(*, run: Run) -> dict[str, object]:
    """Keep the items that every modality of a run could encode, and write their matrices in one order.

    <modality>.npy has the keys of its rows beside it in <modality>_items.csv; item_features.csv has the order asked for. The
    check that follows compares the two.
    """
    store = open_store()
    plan = read_plan(store, run)
    extracts = {m: read_artefact(store, run_key(run, f"extract-{m}")) for m in plan.config.modalities}
    tables = {m: artefact.frame("items.csv", dtype=str, keep_default_na=False) for m, artefact in extracts.items()}
    sets = [set(table["item_id"]) for table in tables.values()]
    names, kept = set.union(*sets), np.array(sorted(set.intersection(*sets)), dtype=np.str_)
    if not len(kept):
        raise ValidationFailed(f"no item could be encoded in all of {', '.join(tables)}, expected some (encoded: {[len(s) for s in sets]})")
    order = kept[numbering(kept)]
    counts = {"encoded_in_any": len(names), "kept": len(order)}
    counts |= {f"rejected_{m}": artefact.manifest.counts["rejected"] for m, artefact in extracts.items()}
    with write_artefact(store, run_key(run, "align"), inputs=list(extracts.values())) as out:
        for modality, table in tables.items():
            rows = pd.Series(np.arange(len(table)), index=table["item_id"]).loc[order.tolist()].to_numpy()
            out.array(f"{modality}.npy", extracts[modality].array("vectors.npy")[rows])
            out.frame(f"{modality}_items.csv", table.iloc[rows][["item_id", "sha256"]])
        out.frame("item_features.csv", pd.DataFrame({"item_id": order, "idx": np.arange(len(order))}))
        out.counts.update(counts)
    corrupt = ", ".join(f"{artefact.manifest.counts['rejected']} corrupt {m}" for m, artefact in extracts.items())
    log.info("%d items encoded in any modality, %s, %d kept", len(names), corrupt, len(order))
    return {"run": run, **counts}
