"""The items of a run in one order, and what each feature has of them."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd

from tasks.data import numbering
from tasks.errors import ValidationFailed
from tasks.runs.inventory import candidates_of
from tasks.runs.lineage import read_made
from tasks.runs.plan import read_plan, scan_artefact
from tasks.steps.options import Run
from tasks.store import open_store, write_artefact
from tasks.store.layout import run_key

log = logging.getLogger(__name__)


def align(*, run: Run) -> dict[str, object]:
    """Keep the items that have every feature of a run, and write their matrices in one order.

    If the run fills what is missing, every item with any feature is kept, and a matrix has rows of those that have it.
    <feature>.npy has the keys of its rows beside it in <feature>_items.csv, taken from what `extract` wrote beside
    them; item_features.csv has the order asked for. The check that follows compares the two.
    """
    store = open_store()
    plan = read_plan(store, run)
    scanned, names = scan_artefact(store, run), plan.config.feature_names
    complete = scanned.manifest.counts["with_all"]
    extracts = dict(zip(names, read_made(store, plan, *(f"extract-{name}" for name in names)), strict=True))
    tables = {name: artefact.text_frame("items.csv") for name, artefact in extracts.items()}
    drop = plan.config.missing == "drop"
    kept = candidates_of({name: set(table["item_id"]) for name, table in tables.items()}, plan.config.missing)
    if not kept:
        encoded = ", ".join(f"{len(table)} {name}" for name, table in tables.items())
        which = "all" if drop else "any"
        raise ValidationFailed(
            f"no item could be encoded in {which} of its modalities (encoded: {encoded}), expected some"
        )
    ids = np.array(sorted(kept), dtype=np.str_)
    order = ids[numbering(ids)]
    rejected = {name: artefact.manifest.counts["rejected"] for name, artefact in extracts.items()}
    counts = {
        "with_all": complete,
        **{f"rejected_{name}": count for name, count in rejected.items()},
        "kept": len(order),
    }
    if not drop:
        counts |= {f"missing_{name}": len(order) - len(table) for name, table in tables.items()}
    with write_artefact(store, run_key(run, "align"), inputs=[scanned, *extracts.values()]) as out:
        for name, table in tables.items():
            places = pd.Index(table["item_id"]).get_indexer(pd.Index(order.tolist()))
            rows = places[places >= 0]
            out.array(f"{name}.npy", extracts[name].array("vectors.npy")[rows])
            out.frame(f"{name}_items.csv", table.iloc[rows][["item_id", "sha256"]])
        out.frame("item_features.csv", pd.DataFrame({"item_id": order, "idx": np.arange(len(order))}))
        out.counts.update(counts)
    corrupt = ", ".join(f"{count} corrupt {name}" for name, count in rejected.items())
    log.info("%d items with all of %s, %s, %d kept", complete, ", ".join(tables), corrupt, len(order))
    if not drop:
        lacking = ", ".join(f"{counts[f'missing_{name}']} lack {name}" for name in tables)
        log.info("%s: filled by %s once it is known which items are trained on", lacking, plan.config.missing)
    return {"run": run, **counts}
