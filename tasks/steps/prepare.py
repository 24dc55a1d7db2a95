"""Makes a dataset from aligned features and the log: filter, k-core, renumber, reindex, split."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from tasks.data import KEPT_SHARE, Cuts, Interactions, LabelledLog
from tasks.data.outside import outside_of
from tasks.data.prepared import columns_of
from tasks.errors import BadInput
from tasks.runs.config import RunConfig
from tasks.runs.gaps import FILLED, feature_rows, list_filled, read_given
from tasks.runs.lineage import read_made
from tasks.runs.plan import read_plan, scan_artefact
from tasks.runs.prepared import (
    ARRIVALS,
    ITEM_FEATURES,
    OTHER_USERS,
    arrivals_name,
    log_name,
    mapping_name,
    matrix_name,
    outside_name,
)
from tasks.runs.selection import PARTS, select
from tasks.steps.options import Run
from tasks.store import open_store, read_artefact, write_artefact
from tasks.store.layout import run_key

log = logging.getLogger(__name__)
OUTSIDE = ("arrivals", "other_users", "interactions_outside")


def prepare(*, run: Run) -> dict[str, object]:
    """Filter the log to items with features, take its k-core, renumber users and items from 0 and split.

    The files it writes can be read by MMRec as they are: <dataset>_filtered.inter and <feature>_filtered.npy, row i of
    which is item i. Items with features that are not among these are arrivals: they are numbered on, and kept with
    their features, the other users of the log, and the rows of both. What an item lacks is filled as the run's
    `missing` says, fitted on items that models are trained on; filled.csv names each such vector.
    """
    store = open_store()
    plan = read_plan(store, run)
    config = plan.config
    (aligned,), scanned = read_made(store, plan, "align"), scan_artefact(store, run)
    interactions = read_artefact(store, plan.interactions)
    items = aligned.text_frame("item_features.csv", idx=np.int64)
    counts: dict[str, int] = {}
    whole = Interactions.load(interactions.path("interactions.parquet"))
    catalogue = items["item_id"].to_numpy(dtype=np.str_)
    labelled = select(whole, catalogue, config, counts, cuts=plan.cuts)
    say_stages(counts, labelled, config, plan.cuts)
    dataset = labelled.interactions
    outside = outside_of(whole, catalogue, dataset.user_ids, dataset.item_ids)
    del whole  # by far the largest object in memory
    source = positions(items, outside.item_ids)  # of the known items, then of the arrivals
    (users, known) = len(dataset.user_ids), len(dataset.item_ids)
    counts |= {"arrivals": len(source) - known, "other_users": len(outside.user_ids) - users}
    counts["interactions_outside"] = len(outside)
    places = read_given(aligned, config.feature_names, outside.item_ids)
    filled = list_filled(places, outside.item_ids)
    if config.missing != "drop":
        counts |= {f"filled_{name}": int((rows < 0).sum()) for name, rows in places.items()}
        lacking = ", ".join(f"{counts[f'filled_{name}']} {name}" for name in places)
        log.info("missing of %d items: %s; filled by %s", len(outside.item_ids), lacking, config.missing)
    log.info("%d arrivals, %d users and %d interactions outside the dataset", *(counts[name] for name in OUTSIDE))
    prefix = run_key(run, "prepare")
    decides = {"dataset", "modalities", "features", "k_core", "split", "seed"}
    parameters = config.model_dump(mode="json", include=decides, exclude_none=True)
    if labelled.cuts is not None:
        parameters["cuts"] = labelled.cuts
    inputs = [scanned, aligned, interactions]
    with write_artefact(store, prefix, inputs=inputs, parameters=parameters, seed=config.seed) as out:
        out.table(log_name(config.dataset), columns_of(dataset))
        for kind, ids in (("user", dataset.user_ids), ("item", dataset.item_ids)):
            out.frame(mapping_name(kind), pd.DataFrame({f"{kind}_id": ids, "idx": np.arange(len(ids))}))
        kept = pd.DataFrame({"item_id": outside.item_ids, "idx": np.arange(len(source)), "source_idx": source})
        out.frame(ITEM_FEATURES, kept[:known])
        out.frame(ARRIVALS, kept[known:])
        others = pd.DataFrame({"user_id": outside.user_ids, "idx": np.arange(len(outside.user_ids))})
        out.frame(OTHER_USERS, others[users:])
        out.table(outside_name(config.dataset), columns_of(outside, labelled=False))
        for feature, matrix in feature_rows(aligned, places, known, config.missing):
            out.array(matrix_name(feature), matrix[:known])
            out.array(arrivals_name(feature), matrix[known:])
        out.frame(FILLED, filled)
        out.counts.update(counts)
    return {"prepared": prefix, **counts}


def say_stages(counts: dict[str, int], labelled: LabelledLog, config: RunConfig, cuts: Cuts | None) -> None:
    """Log what was left after each stage of `select`; `cuts`: those of the served release."""
    k = config.k_core
    stages = {
        "before": "before filtering",
        "with_features": "after the item filter",
        f"in_{k}_core": f"after {k}-core",
        "trained": f"after the {config.split} split, without users and items that have no training rows",
    }
    if labelled.dropped:
        lost = (labelled.dropped, labelled.users_lost, labelled.items_lost)
        log.info("the %s split drops %d rows, and with them %d users and %d items", config.split, *lost)
    for stage, words in stages.items():
        if f"interactions_{stage}" in counts:
            numbers = (f"{counts[f'{kind}_{stage}']:,}" for kind in ("interactions", "users", "items"))
            log.info("%s: %s interactions / %s users / %s items", words, *numbers)
    _say_cuts(labelled.cuts, cuts)
    words = "%s split: %s; %d rows moved to train, %d users only in train"
    log.info(words, config.split, _words(counts), labelled.moved_to_train, counts["users_unmeasured"])


def positions(items: pd.DataFrame, item_ids: np.ndarray) -> np.ndarray:
    """Return the rows (n,) of `item_ids` in the aligned matrices. `items`: item_id and idx, each item once."""
    index = pd.Index(items["item_id"])
    if not index.is_unique:
        raise BadInput(
            f"{index[index.duplicated()][0]!r} found more than once in item_features.csv, expected each item once"
        )
    places = index.get_indexer(pd.Index(item_ids.tolist()))
    if (places < 0).any():
        raise BadInput(
            f"{str(item_ids[places < 0][0])!r} not found in item_features.csv, expected every item that is kept"
        )
    return np.asarray(items["idx"].to_numpy(dtype=np.int64)[places])


def _say_cuts(drawn: Cuts | None, pinned: Cuts | None) -> None:
    if drawn is None:
        return
    moments = " and ".join(datetime.fromtimestamp(cut, UTC).strftime("%Y-%m-%d %H:%M:%S %Z") for cut in drawn)
    if drawn == pinned:
        log.info("time split: valid and test begin at %s, as in the served release", moments)
    elif pinned is None:
        log.info("time split: valid and test begin at %s", moments)
    else:
        bounds = " to ".join(f"{share:.0%}" for share in KEPT_SHARE)
        log.warning(
            "time split: valid and test begin at %s from now on, for with the cuts of the served release the share of "
            "train was out of %s, or another part empty",
            *(moments, bounds),
        )


def _words(counts: dict[str, int]) -> str:
    return ", ".join(f"{part} {counts[part]:,}" for part in PARTS)
