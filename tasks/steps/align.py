"""One row an item in every feature: what could not be encoded in one is left out of all."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd

from tasks.data import numbering
from tasks.errors import ValidationFailed
from tasks.runs.plan import read_plan, scan_artefact
from tasks.steps.options import Run
from tasks.store import open_store, read_artefact, write_artefact
from tasks.store.layout import run_key

log = logging.getLogger(__name__)


def align(*, run: Run) -> dict[str, object]:
    """Keep the items that have every feature of a run, and write their matrices in one order.

    <feature>.npy has the keys of its rows beside it in <feature>_items.csv, taken from what `extract` wrote beside
    them; item_features.csv has the order asked for. The check that follows compares the two.
    """
    store = open_store()
    plan = read_plan(store, run)
    complete = scan_artefact(store, run).manifest.counts["with_all"]
    extracts = {name: read_artefact(store, run_key(run, f"extract-{name}")) for name in plan.config.feature_names}
    tables = {name: artefact.text_frame("items.csv") for name, artefact in extracts.items()}
    kept = set.intersection(*(set(table["item_id"]) for table in tables.values()))
    if not kept:
        encoded = ", ".join(f"{len(table)} {name}" for name, table in tables.items())
        raise ValidationFailed(f"no item could be encoded in all of its modalities (encoded: {encoded}), expected some")
    ids = np.array(sorted(kept), dtype=np.str_)
    order = ids[numbering(ids)]
    rejected = {name: artefact.manifest.counts["rejected"] for name, artefact in extracts.items()}
    counts = {
        "with_all": complete,
        **{f"rejected_{name}": count for name, count in rejected.items()},
        "kept": len(order),
    }
    with write_artefact(store, run_key(run, "align"), inputs=list(extracts.values())) as out:
        for name, table in tables.items():
            rows = pd.Series(np.arange(len(table)), index=table["item_id"]).loc[order.tolist()].to_numpy()
            out.array(f"{name}.npy", extracts[name].array("vectors.npy")[rows])
            out.frame(f"{name}_items.csv", table.iloc[rows][["item_id", "sha256"]])
        out.frame("item_features.csv", pd.DataFrame({"item_id": order, "idx": np.arange(len(order))}))
        out.counts.update(counts)
    corrupt = ", ".join(f"{count} corrupt {name}" for name, count in rejected.items())
    log.info("%d items with all of %s, %s, %d kept", complete, ", ".join(tables), corrupt, len(order))
    return {"run": run, **counts}
