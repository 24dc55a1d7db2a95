"""From aligned features and the log to a dataset: filter, k-core, renumber, reindex, split."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd

from tasks.data import Interactions, in_order, k_core, split
from tasks.errors import BadInput
from tasks.steps.options import Run
from tasks.steps.plan import Plan, read_plan, run_key
from tasks.store import Artefact, ArtefactWriter, Store, open_store, read_artefact, write_artefact

log = logging.getLogger(__name__)


def prepare(*, run: Run) -> dict[str, object]:
    """Filter the log to items with features, take its k-core, renumber users and items from 0 and split.

    The files it writes can be read by MMRec as they are: <dataset>_filtered.inter and <modality>_filtered.npy, row i of which
    is item i.
    """
    store = open_store()
    plan = read_plan(store, run)
    aligned = read_artefact(store, run_key(run, "align"))
    interactions = read_artefact(store, plan.interactions)
    counts: dict[str, int] = {}
    items = aligned.frame("item_features.csv", dtype={"item_id": str}, keep_default_na=False)
    dataset = select(read_log(interactions), items["item_id"].to_numpy(dtype=np.str_), plan, counts)
    source = positions(items, dataset.item_ids)
    prefix = run_key(run, "prepare")
    with write_artefact(store, prefix, inputs=[aligned, interactions], parameters=_parameters(plan), seed=plan.config.seed) as out:
        _write_log(out, dataset, plan.config.dataset)
        for kind, ids in (("user", dataset.user_ids), ("item", dataset.item_ids)):
            out.frame(f"{kind}_mapping.csv", pd.DataFrame({f"{kind}_id": ids, "idx": np.arange(len(ids))}))
        out.frame(
            "item_features_filtered.csv",
            pd.DataFrame({"item_id": dataset.item_ids, "idx": np.arange(len(source)), "source_idx": source}),
        )
        for modality in plan.config.modalities:
            out.array(f"{modality}_filtered.npy", aligned.array(f"{modality}.npy")[source])
        out.counts.update(counts)
    return {"prepared": prefix, **counts}


def read_log(artefact: Artefact) -> Interactions:
    """The pinned interactions of the run."""
    return Interactions.load(artefact.path("interactions.parquet"))


def load_features_index(store: Store, run: str) -> pd.DataFrame:
    """item_features.csv of the run: item_id (str), idx."""
    return read_artefact(store, run_key(run, "align")).frame("item_features.csv", dtype={"item_id": str}, keep_default_na=False)


def select(interactions: Interactions, item_ids: np.ndarray, plan: Plan, counts: dict[str, int]) -> Interactions:
    """The labelled, renumbered log of items among `item_ids`; fills `counts` with what is left after each stage."""
    config = plan.config

    def note(stage: str, found: Interactions) -> None:
        counts.update({f"{name}_{stage}": number for name, number in found.counts.items()})
        log.info("%s: %d interactions / %d users / %d items", stage.replace("_", " "), *found.counts.values())

    note("before", interactions)
    keep = np.isin(interactions.item_ids, item_ids)[interactions.items]
    if not keep.any():
        raise BadInput(
            f"none of {len(interactions.item_ids)} items of the log (such as {interactions.item_ids[:3].tolist()}) has features "
            f"(such as {item_ids[:3].tolist()}), expected the same ids in both"
        )
    filtered = interactions.take(keep)
    note("with_features", filtered)
    core = in_order(k_core(filtered, config.k_core))
    note(f"in_{config.k_core}_core", core)
    done = split(core, config.split, seed=config.seed, k=config.k_core)
    counts.update(moved_to_train=done.moved_to_train, dropped_untrained=done.dropped)
    found = done.interactions
    if done.dropped:
        found = in_order(found)
        note("trained", found)
    labels = found.labels if found.labels is not None else np.zeros(0)
    for name, number in zip(("train", "valid", "test"), np.bincount(labels, minlength=3), strict=True):
        counts[name] = int(number)
    log.info("train %d, valid %d, test %d; %d moved to train, %d dropped", *(counts[n] for n in ("train", "valid", "test", "moved_to_train", "dropped_untrained")))
    return found


def positions(items: pd.DataFrame, item_ids: np.ndarray) -> np.ndarray:
    """(n,) rows of the aligned matrices that hold `item_ids`."""
    places = pd.Series(items["idx"].to_numpy(), index=items["item_id"].to_numpy())
    return np.asarray(places.loc[item_ids.tolist()].to_numpy(dtype=np.int64))


def _parameters(plan: Plan) -> dict[str, object]:
    return plan.config.model_dump(include={"dataset", "modalities", "k_core", "split", "seed"})


def _write_log(out: ArtefactWriter, dataset: Interactions, name: str) -> None:
    """userID, itemID, x_label and, when known, timestamp, as MMRec reads them."""
    columns = {"userID": dataset.users, "itemID": dataset.items, "x_label": dataset.labels, "timestamp": dataset.timestamps}
    out.table(f"{name}_filtered.inter", {key: column for key, column in columns.items() if column is not None})
