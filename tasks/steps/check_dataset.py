"""`check-dataset`: must pass before training."""

from __future__ import annotations

import time

import numpy as np

from tasks.data import Interactions
from tasks.errors import BadInput, Corrupt, NotFound, one_line
from tasks.quality import DatasetTables, Since
from tasks.quality import check_dataset as suite
from tasks.runs.checks import conclude, read_last
from tasks.runs.gaps import FILLED
from tasks.runs.lineage import say_current
from tasks.runs.plan import Plan, read_plan, scan_artefact
from tasks.runs.prepared import (
    ARRIVALS,
    ITEM_FEATURES,
    OTHER_USERS,
    arrivals_name,
    external_ids,
    log_name,
    mapping_name,
    matrix_name,
    outside_name,
)
from tasks.runs.selection import select
from tasks.steps.options import Run
from tasks.store import Store, open_records, open_store, read_artefact
from tasks.store.layout import release_prefix, run_key


def check_dataset(*, run: Run) -> dict[str, object]:
    """Validate the prepared dataset of a run with Great Expectations: every row of the log, and every feature row.

    Rows, users and items are compared with the log that they come from, and vectors with the aligned ones. Exit code 10
    if a critical expectation fails: the report is in the store and in the metrics history, with up to ten users or
    items per expectation.
    """
    store = open_store()
    plan = read_plan(store, run)
    config, log = plan.config, read_artefact(store, plan.interactions)
    aligned, prepared = (read_artefact(store, run_key(run, step)) for step in ("align", "prepare"))
    source_items, filled = aligned.text_frame("item_features.csv"), prepared.text_frame(FILLED)
    arrivals, other_users = prepared.text_frame(ARRIVALS), prepared.text_frame(OTHER_USERS)
    outside = prepared.frame(outside_name(config.dataset))
    whole = Interactions.load(log.path("interactions.parquet"))
    counts: dict[str, int] = {}
    catalogue = source_items["item_id"].to_numpy(dtype=np.str_)
    selected = select(whole, catalogue, config, counts, cuts=plan.cuts).interactions
    counts |= {"arrivals": len(arrivals), "other_users": len(other_users), "interactions_outside": len(outside)}
    if config.missing != "drop":
        counts |= {f"filled_{name}": int((filled["feature"] == name).sum()) for name in config.feature_names}
    report = suite(
        DatasetTables(
            interactions=prepared.frame(log_name(config.dataset)),
            users=prepared.text_frame(mapping_name("user")),
            items=prepared.text_frame(mapping_name("item")),
            item_features=prepared.text_frame(ITEM_FEATURES),
            features={name: prepared.array(matrix_name(name)) for name in config.feature_names},
            source_items=source_items,
            sources={name: aligned.array(f"{name}.npy") for name in config.feature_names},
            source_keys={name: aligned.text_frame(f"{name}_items.csv") for name in config.feature_names},
            filled=filled,
            arrivals=arrivals,
            arriving={name: prepared.array(arrivals_name(name)) for name in config.feature_names},
            counts=_state_counts(prepared.manifest.counts, config.k_core),
            outside=outside,
            other_users=other_users,
            log=whole,
            selected=selected,
            recounted=counts,
            stated=prepared.manifest.counts,
            current=say_current(prepared, scan_artefact(store, run), log, aligned),
        ),
        k=config.k_core,
        since=_served(store, plan),
    )
    return conclude(store, run, report, [scan_artefact(store, run), log, aligned, prepared])


def _served(store: Store, plan: Plan) -> Since:
    """What the log is compared with: the served release and the profile of its log."""
    dataset, known, problem = plan.config.dataset, {}, ""
    with open_records() as history:
        champion = history.champion(dataset)
    if champion is not None:
        try:
            release = read_artefact(store, release_prefix(dataset, champion.release))
            known = {f"{kind}s": external_ids(release, kind, beyond=True) for kind in ("user", "item")}
        except (NotFound, BadInput, Corrupt) as error:  # gone, damaged or of an earlier version: a new one is needed
            problem = one_line(error)
    last = read_last(dataset, "check-dataset").get("log")
    return Since(last=last, known=known, now=int(time.time()), limits=plan.config.drift, problem=problem)


def _state_counts(counts: dict[str, int], k: int) -> dict[str, int]:
    """Return users, items and interactions after the last stage counted in the manifest."""
    stage = "trained" if "users_trained" in counts else f"in_{k}_core"
    return {
        kind: counts[f"{kind}_{stage}"] for kind in ("users", "items", "interactions") if f"{kind}_{stage}" in counts
    }
