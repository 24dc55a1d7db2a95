"""Validates a prepared dataset before training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tasks.data import Interactions
from tasks.data.prepared import ITEM, LABEL, USER
from tasks.errors import BadInput
from tasks.quality.arrivals import arrivals_tables
from tasks.quality.artefacts import artefacts_table
from tasks.quality.columns import whole_numbers, words
from tasks.quality.drift import Since, since_tables
from tasks.quality.log_rows import ExternalIds, LogFiles, log_tables
from tasks.quality.profiles import profile_log
from tasks.quality.report import SAMPLE, Report
from tasks.quality.source_rows import Source, rows_table
from tasks.quality.suite import ID, Evidence, Table, all_true, at_least, columns_exist, equal, unique, validate

SUITE = "check-dataset"
SPLITS = ("training", "validation", "test")  # labels 0, 1, 2


@dataclass(frozen=True)
class DatasetTables:
    """The files that `prepare` wrote, and their sources.

    interactions: frame userID, itemID, x_label. users: frame user_id, idx. items: frame item_id, idx. item_features:
    frame item_id, idx, source_idx, in the order of the rows of `features`: modality -> (items, d). source_items: frame
    item_id: all items of the run. sources: modality -> (rows, d), of the items that have it, by `source_keys`:
    modality -> frame item_id. filled: frame item_id, feature, of what they lack. counts: those of users, items and
    interactions in the manifest. arrivals: frame as item_features, in the order of the rows of `arriving`. outside:
    frame userID, itemID of the rows outside the dataset; other_users: frame user_id, idx of users outside it. log: what
    all of this was made from. selected: what filter, k-core and split make of it, computed anew, and `recounted` and
    `stated`: the counts of that, and of the manifest. current: as in `artefacts_table`, about the dataset.
    """

    interactions: pd.DataFrame
    users: pd.DataFrame
    items: pd.DataFrame
    item_features: pd.DataFrame
    features: Mapping[str, np.ndarray]
    source_items: pd.DataFrame
    sources: Mapping[str, np.ndarray]
    source_keys: Mapping[str, pd.DataFrame]
    filled: pd.DataFrame
    counts: Mapping[str, int]
    arrivals: pd.DataFrame
    arriving: Mapping[str, np.ndarray]
    outside: pd.DataFrame
    other_users: pd.DataFrame
    log: Interactions
    selected: Interactions
    recounted: Mapping[str, int]
    stated: Mapping[str, int]
    current: Mapping[str, bool]


@dataclass(frozen=True)
class Numbering:
    """One mapping: external ids (n,) of str and their indices (n,), -1 for missing ones."""

    kind: str
    ids: np.ndarray
    indices: np.ndarray

    def external(self, indices: np.ndarray) -> pd.Series:
        """Return the external id of each index, missing if the mapping has none, the first if it has several."""
        return pd.Series(self.ids, index=self.indices).groupby(level=0).first().reindex(indices)


def check_dataset(data: DatasetTables, k: int, since: Since) -> Report:
    """Validate a prepared dataset against its sources, the `k` of its k-core, and what is served.

    If a table lacks a column, only columns are reported, because nothing else can be computed. Raises BadInput if
    features and sources have different modalities.
    """
    modalities, sources = sorted(data.features), sorted(data.sources)
    if modalities != sources:
        raise BadInput(f"features of {modalities} and sources of {sources} found, expected both of the same modalities")
    report = validate(SUITE, _schema(data))
    if not report.success:
        return report
    users, items, labels = (whole_numbers(data.interactions[column]) for column in (USER, ITEM, LABEL))
    valid = (users >= 0) & (items >= 0)
    of_users = Numbering("users", words(data.users["user_id"]), whole_numbers(data.users["idx"]))
    of_items = Numbering("items", words(data.items["item_id"]), whole_numbers(data.items["idx"]))
    tables = [_log_table(users, items, labels, of_items), _counts_table(data)]
    for numbering, codes in ((of_users, users), (of_items, items)):
        tables += [_mapping_table(numbering), _side_table(numbering, codes[valid], labels[valid], k)]
    tables.append(_kept_items_table(data, of_items))
    for modality in modalities:
        tables += _modality_tables(modality, data)
    known_ids, source_ids = words(data.item_features["item_id"]), words(data.source_items["item_id"])
    tables += arrivals_tables(data.arrivals, data.arriving, data.features, known_ids, source_ids)
    files = LogFiles(
        rows=data.interactions,
        outside=data.outside,
        users=ExternalIds.of("user_id", data.users, data.other_users),
        items=ExternalIds.of("item_id", data.items, data.arrivals),
    )
    counts = {name: (data.stated.get(name, -1), number) for name, number in data.recounted.items()}
    tables.append(artefacts_table("dataset", data.current, counts))
    tables += log_tables(files, data.log, source_ids, data.selected)
    profile = profile_log(data.log, np.unique(source_ids), since.known, since.now)
    tables += since_tables(profile, since)
    rest = validate(SUITE, tables)
    return Report(suite=SUITE, success=rest.success, results=[*report.results, *rest.results], profiles=[profile])


def _schema(data: DatasetTables) -> list[Table]:
    return [
        columns_exist("interactions", data.interactions, [USER, ITEM, LABEL]),
        columns_exist("users", data.users, ["user_id", "idx"]),
        columns_exist("items", data.items, ["item_id", "idx"]),
        columns_exist("item features", data.item_features, ["item_id", "idx", "source_idx"]),
        columns_exist("arrivals", data.arrivals, ["item_id", "idx", "source_idx"]),
        columns_exist("source items", data.source_items, ["item_id"]),
        columns_exist("filled", data.filled, ["item_id", "feature"]),
        columns_exist("interactions outside", data.outside, [USER, ITEM]),
        columns_exist("other users", data.other_users, ["user_id", "idx"]),
    ]


def _log_table(users: np.ndarray, items: np.ndarray, labels: np.ndarray, numbering: Numbering) -> Table:
    """Facts about the rows of the .inter file; codes below zero are those that are no ids."""
    valid = (users >= 0) & (items >= 0)
    pairs = users[valid] * (int(items.max(initial=0)) + 1) + items[valid]
    repeated = np.zeros(0, dtype=np.int64)
    if (np.diff(np.sort(pairs)) == 0).any():
        order = np.argsort(pairs, kind="stable")
        repeated = order[1:][np.diff(pairs[order]) == 0]
    odd = ~np.isin(labels, (0, 1, 2))
    faults = {
        "user_codes": ("ids_are_whole_numbers", "users", "a whole number of a user in every row", users < 0),
        "item_codes": ("ids_are_whole_numbers", "items", "a whole number of an item in every row", items < 0),
        "labels": ("labels_are_known", "interactions", "0 training, 1 validation or 2 test in every row", odd),
        "pairs": ("pairs_are_unique", "interactions", "every user and item together once", _mask(valid, repeated)),
    }
    facts: dict[str, int | bool] = {"rows": len(users)}
    rows = Evidence(f"{len(users)} rows")
    rules = [at_least("log_has_rows", "interactions", "at least one interaction", "rows", 1, evidence=rows)]
    for column, (name, about, expected, bad) in faults.items():
        count = int(bad.sum())
        facts[column] = count == 0
        names = numbering.external(pd.unique(items[bad])[:SAMPLE]).dropna().tolist()
        evidence = Evidence(f"{count} of {len(users)} rows otherwise", count, len(users), names)
        rules.append(all_true(name, about, expected, column, evidence=evidence))
    for label, split in enumerate(SPLITS):
        facts[split] = int((labels == label).sum())
        evidence = Evidence(f"{facts[split]} rows")
        rules.append(
            at_least("splits_are_used", split, f"at least one row labelled {label}", split, 1, evidence=evidence)
        )
    return Table("interactions", pd.DataFrame(facts, index=[0]), rules)


def _mask(valid: np.ndarray, repeated: np.ndarray) -> np.ndarray:
    """Return flags over all rows from positions among the valid rows."""
    flags = np.zeros(len(valid), dtype=bool)
    flags[np.flatnonzero(valid)[repeated]] = True
    return flags


def _counts_table(data: DatasetTables) -> Table:
    """The manifest's counts against those of the files."""
    counts = {"users": len(data.users), "items": len(data.items), "interactions": len(data.interactions)}
    stated = {f"stated_{kind}": data.counts.get(kind, -1) for kind in counts}
    frame = pd.DataFrame({**counts, **stated}, index=[0])
    rules = [
        equal("counts_are_as_stated", kind, "as many as the manifest states", (kind, f"stated_{kind}"), frame)
        for kind in counts
    ]
    return Table("counts", frame, rules)


def _mapping_table(numbering: Numbering) -> Table:
    """One row per line of a mapping: one-to-one, and complete in itself."""
    kind, ids, indices = numbering.kind, numbering.ids, numbering.indices
    frame = pd.DataFrame({ID: ids, "given": ids != "", "idx": indices, "whole": indices >= 0})
    rules = [
        all_true("external_ids_are_given", kind, "an external id in every line of the mapping", "given"),
        unique("external_ids_are_unique", kind, "every external id once in the mapping", ID),
        all_true("indices_are_whole_numbers", kind, "a whole number in every line of the mapping", "whole"),
        unique("indices_are_unique", kind, "every index once in the mapping", "idx"),
    ]
    return Table(f"mapping of {kind}", frame, rules)


def _side_table(numbering: Numbering, codes: np.ndarray, labels: np.ndarray, k: int) -> Table:
    """One row per index of a user or item found in the log or in the mapping."""
    logged, place = np.unique(codes, return_inverse=True)
    indices = np.union1d(logged, numbering.indices[numbering.indices >= 0])
    at = np.searchsorted(indices, logged)
    degree, trained = np.zeros(len(indices), dtype=np.int64), np.zeros(len(indices), dtype=np.int64)
    degree[at] = np.bincount(place, minlength=len(logged))
    trained[at] = np.bincount(place[labels == 0], minlength=len(logged))
    external = numbering.external(indices)
    mapped = external.notna().to_numpy()
    names = np.where(mapped, external.fillna(""), np.array([f"index {index}" for index in indices], dtype=object))
    frame = pd.DataFrame(
        {
            ID: names.astype(str),
            "placed": indices == np.arange(len(indices)),
            "logged": degree > 0,
            "mapped": mapped,
            "core": (degree >= k) | (degree == 0),
            "trained": (trained > 0) | (degree == 0),
        }
    )
    last = int(indices.max(initial=-1))
    gaps = np.setdiff1d(np.arange(min(last, len(indices) + SAMPLE) + 1), indices)
    evidence = Evidence(
        f"{len(indices)} up to {last}" + (f", without {', '.join(map(str, gaps[:SAMPLE]))}" if len(gaps) else ""),
        last + 1 - len(indices),
        last + 1,
        list(frame.loc[~frame["placed"], ID].head(SAMPLE)),
    )
    kind = numbering.kind
    rules = [
        all_true("indices_are_contiguous", kind, "every index from 0 to the last", "placed", evidence=evidence),
        all_true("mapping_is_complete", kind, "every index of the log in the mapping", "mapped"),
        all_true("mapping_is_used", kind, "every index of the mapping in the log", "logged"),
        all_true("k_core_holds", kind, f"at least {k} interactions each", "core"),
        all_true("all_are_trained", kind, "at least one training row each", "trained"),
    ]
    return Table(f"{kind} of the log", frame, rules)


def _kept_items_table(data: DatasetTables, numbering: Numbering) -> Table:
    """One row per kept item: numbered by row, with the id that the mapping has and a source row of that id."""
    ids, sources = words(data.item_features["item_id"]), words(data.source_items["item_id"])
    idx, origins = whole_numbers(data.item_features["idx"]), _origins(data.item_features, sources)
    numbered = idx == np.arange(len(idx))
    mapped = numbering.external(idx).fillna("").to_numpy() == ids
    frame = pd.DataFrame({ID: ids, "numbered": numbered, "mapped": mapped, "sourced": origins == ids})
    about = "item features"
    rules = [
        all_true("idx_is_row_number", about, "idx counting rows from 0", "numbered"),
        all_true("ids_are_those_of_mapping", about, "the external id that the mapping has for this index", "mapped"),
        all_true("source_rows_are_of_the_item", about, "a source row of the very same item", "sourced"),
    ]
    return Table(about, frame, rules)


def _modality_tables(modality: str, data: DatasetTables) -> list[Table]:
    """Facts about one modality's matrix, and one row per vector against its source."""
    array, arriving, source = data.features[modality], data.arriving[modality], data.sources[modality]
    ids, sources, keys = (
        words(table["item_id"]) for table in (data.item_features, data.source_items, data.source_keys[modality])
    )
    counts = {"rows": len(array), "kept": len(ids), "items": len(data.items)}
    counts |= {"source_rows": len(source), "source_keys": len(keys)}
    facts = pd.DataFrame(counts, index=[0])
    of_array = [
        equal("rows_equal_items", modality, "as many rows as items in the mapping", ("rows", "items"), facts),
        equal("rows_equal_kept_items", modality, "as many rows as kept items", ("rows", "kept"), facts),
        equal("source_rows_have_keys", modality, "a source row per key", ("source_rows", "source_keys"), facts),
    ]
    filled = data.filled.loc[data.filled["feature"] == modality, "item_id"]
    described = Source(source, keys, words(filled))
    tables = [
        Table(f"{modality} array", facts, of_array),
        rows_table(modality, ids, _origins(data.item_features, sources), array, described),
    ]
    if len(data.arrivals):
        ids, origins = words(data.arrivals["item_id"]), _origins(data.arrivals, sources)
        tables.append(rows_table(f"arriving {modality}", ids, origins, arriving, described))
    return tables


def _origins(items: pd.DataFrame, source_ids: np.ndarray) -> np.ndarray:
    """Return the id (n,) at the `source_idx` of each item, "" where there is no such row."""
    rows = whole_numbers(items["source_idx"])
    inside = (rows >= 0) & (rows < len(source_ids))
    origins = np.full(len(rows), "", dtype=object)
    origins[inside] = source_ids[rows[inside]]
    return origins
