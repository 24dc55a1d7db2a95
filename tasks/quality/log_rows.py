"""Facts about the rows of a prepared log beside the log that it was made from, in external ids and both directions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tasks.data import Interactions
from tasks.data.prepared import ITEM, LABEL, TIMESTAMP, USER
from tasks.quality.columns import whole_numbers, words
from tasks.quality.report import SAMPLE
from tasks.quality.suite import ID, Evidence, Table, all_true


@dataclass(frozen=True)
class ExternalIds:
    """External ids by index: a mapping table of the dataset, followed by that of what is outside it."""

    ids: np.ndarray
    indices: np.ndarray

    @classmethod
    def of(cls, column: str, *tables: pd.DataFrame) -> ExternalIds:
        """Read the columns `column` and idx of each table."""
        ids = np.concatenate([words(table[column]) for table in tables])
        return cls(ids, np.concatenate([whole_numbers(table["idx"]) for table in tables]))

    def codes(self, indices: np.ndarray, vocabulary: np.ndarray) -> np.ndarray:
        """Return for each index (n,) the place of its external id in `vocabulary` (m,), -1 without one."""
        places = pd.Index(vocabulary).get_indexer(pd.Index(self.ids))
        by_index = pd.Series(places, index=self.indices)
        by_index = by_index[~by_index.index.duplicated()]
        size = int(max(indices.max(initial=-1), by_index.index.max() if len(by_index) else -1)) + 1
        table = np.full(size, -1, dtype=np.int64)
        table[by_index.index[by_index.index >= 0]] = by_index[by_index.index >= 0]
        return np.where(indices >= 0, table[indices], -1)


@dataclass(frozen=True)
class LogFiles:
    """What `prepare` wrote of a log: frames of its rows, inside and outside the dataset, and the mappings."""

    rows: pd.DataFrame
    outside: pd.DataFrame
    users: ExternalIds
    items: ExternalIds


def log_tables(prepared: LogFiles, log: Interactions, catalogue: np.ndarray, selected: Interactions) -> list[Table]:
    """Tables about a prepared log beside its source `log`, of which the items in `catalogue` (C,) are kept.

    `selected` is what filter, k-core and split make of the log, computed anew: pairs, their labels and times.
    """
    source = _Rows.of_log(log, log)
    source = source.take(np.isin(log.item_ids, catalogue)[log.items])
    inside, outside = (_Rows.of_frame(frame, prepared, log) for frame in (prepared.rows, prepared.outside))
    wanted = _Rows.of_log(selected, log)
    return [
        _pairs_table(inside, outside, source, wanted, log),
        _counts_table("users", log.user_ids, inside.users, wanted.users),
        _counts_table("items", log.item_ids, inside.items, wanted.items),
    ]


@dataclass(frozen=True)
class _Rows:
    """Rows by their places in the vocabularies of the source log, -1 for what it does not have."""

    users: np.ndarray
    items: np.ndarray
    pairs: np.ndarray
    labels: np.ndarray | None
    times: np.ndarray | None

    @classmethod
    def of_log(cls, rows: Interactions, log: Interactions) -> _Rows:
        users, items = rows.users, rows.items
        if rows is not log:
            users = pd.Index(log.user_ids).get_indexer(pd.Index(rows.user_ids))[users]
            items = pd.Index(log.item_ids).get_indexer(pd.Index(rows.item_ids))[items]
        return cls(users, items, _pair_codes(users, items, log), rows.labels, rows.timestamps)

    @classmethod
    def of_frame(cls, frame: pd.DataFrame, prepared: LogFiles, log: Interactions) -> _Rows:
        users = prepared.users.codes(whole_numbers(frame[USER]), log.user_ids)
        items = prepared.items.codes(whole_numbers(frame[ITEM]), log.item_ids)
        labels = whole_numbers(frame[LABEL]) if LABEL in frame else None
        times = None
        if TIMESTAMP in frame:
            times = pd.to_numeric(frame[TIMESTAMP], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        return cls(users, items, _pair_codes(users, items, log), labels, times)

    def take(self, mask: np.ndarray) -> _Rows:
        labels, times = (None if one is None else one[mask] for one in (self.labels, self.times))
        return _Rows(self.users[mask], self.items[mask], self.pairs[mask], labels, times)


def _pair_codes(users: np.ndarray, items: np.ndarray, log: Interactions) -> np.ndarray:
    """One number (n,) int64 per pair, -1 with a user or an item that the log does not have."""
    known = (users >= 0) & (items >= 0)
    return np.where(known, users.astype(np.int64) * len(log.item_ids) + items, -1)


def _pairs_table(inside: _Rows, outside: _Rows, source: _Rows, wanted: _Rows, log: Interactions) -> Table:
    """Facts about pairs of user and item: none invented, lost, twice, misplaced, or with another label or time."""
    kept = np.concatenate([inside.pairs, outside.pairs])
    kept_items = np.concatenate([inside.items, outside.items])
    place = _places(wanted.pairs, inside.pairs)
    chosen = place >= 0
    mislabelled = chosen.copy()
    if inside.labels is not None and wanted.labels is not None:
        mislabelled[chosen] = inside.labels[chosen] != wanted.labels[place[chosen]]
    faults = {
        "invented": ("rows_are_of_the_log", "a row of the log each", ~np.isin(kept, source.pairs), kept_items),
        "lost": ("log_is_complete", "every row about a kept item", ~np.isin(source.pairs, kept), source.items),
        "twice": ("rows_are_in_one_place", "inside or outside", np.isin(outside.pairs, inside.pairs), outside.items),
        "misplaced": ("rows_are_selected", "a row that filter, k-core and split leave", ~chosen, inside.items),
        "left": ("selected_rows_are_there", "each of those rows", ~np.isin(wanted.pairs, inside.pairs), wanted.items),
        "labels": ("labels_are_those_of_the_split", "the label of the split each", mislabelled, inside.items),
        "times": ("times_are_those_of_the_log", "the time of the log each", _strayed(inside, source), inside.items),
        "times outside": ("times_are_those_of_the_log", "the same", _strayed(outside, source), outside.items),
    }
    facts, rules = {}, []
    for fact, (name, expected, bad, items) in faults.items():
        count = int(bad.sum())
        facts[fact] = count == 0
        codes = pd.unique(items[bad])
        sample = log.item_ids[codes[codes >= 0][:SAMPLE]].tolist()
        evidence = Evidence(f"{count} of {len(bad)} rows otherwise", count, len(bad), sample)
        about = "interactions outside" if fact in {"twice", "times outside"} else "interactions"
        rules.append(all_true(name, about, expected, fact, evidence=evidence))
    return Table("rows beside the log", pd.DataFrame(facts, index=[0]), rules)


def _strayed(rows: _Rows, source: _Rows) -> np.ndarray:
    """Whether (n,) a row has another time than the source has for its pair; False for a pair that is not there."""
    if source.times is None or rows.times is None:
        return np.full(len(rows.pairs), (source.times is None) != (rows.times is None))
    place = _places(source.pairs, rows.pairs)
    strayed = place >= 0
    strayed[strayed] = rows.times[strayed] != source.times[place[strayed]]
    return strayed


def _places(among: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return (n,): where each of `wanted` (n,) stands in `among` (m,), -1 for one that does not."""
    if not len(among):
        return np.full(len(wanted), -1)
    order = np.argsort(among, kind="stable")
    at = np.minimum(np.searchsorted(among[order], wanted), len(among) - 1)
    found = (among[order[at]] == wanted) & (wanted >= 0)
    return np.where(found, order[at], -1)


def _counts_table(kind: str, vocabulary: np.ndarray, found: np.ndarray, wanted: np.ndarray) -> Table:
    """One row per user or item of the log that is, or should be, in the dataset: as many rows as the log has of it."""
    found, wanted = (np.bincount(codes[codes >= 0], minlength=len(vocabulary)) for codes in (found, wanted))
    rows = np.flatnonzero((found > 0) | (wanted > 0))
    frame = pd.DataFrame({ID: vocabulary[rows], "same": found[rows] == wanted[rows]})
    expected = "as many interactions as filter, k-core and split leave of the log"
    return Table(f"{kind} beside the log", frame, [all_true("counts_are_those_of_the_log", kind, expected, "same")])
