"""Measures whether content agrees with behaviour as log and features are joined, and as they might have been meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from tasks.data import Interactions
from tasks.quality.alternatives import MISSING, Alternative, join_by_id, list_alternatives, neighbouring_ids
from tasks.quality.behaviour import FEWEST_ITEMS, Agreement, measure_agreement, measure_similarity, sample_items

CLEAR = 8.0  # a z that no alternative of a sound join reaches by chance; below it none is looked at twice
MOST_POPULAR = 10_000  # items that are sampled from: in a larger catalogue the others share too few users
SAME = 0.5  # share of the items with the same row from which two joins are one


@dataclass(frozen=True)
class Better:
    """An alternative that agrees clearly better: `theirs` and `ours` on the `items` (ids) that both joins have."""

    words: str
    theirs: Agreement
    ours: Agreement
    items: list[str]


@dataclass(frozen=True)
class Content:
    """What was measured of one feature.

    beside: the higher z of the same items with the rows of the ids next to theirs. better: the best of the
    alternatives that are clearly better.
    """

    agreement: Agreement
    beside: float
    better: Better | None


@dataclass(frozen=True)
class _Sample:
    """The sampled items of the log: codes (n,), their ids and their similarity by behaviour (n, n)."""

    codes: np.ndarray
    ids: np.ndarray
    similarity: np.ndarray


@dataclass(frozen=True)
class _Feature:
    """Measures any join of the sample with the rows (m, d) of a feature."""

    sample: _Sample
    rows: np.ndarray
    own: np.ndarray  # (n,) row of each sampled item as it is joined, or MISSING
    good: np.ndarray = field(init=False)  # (m,) whether a row can be compared

    def __post_init__(self) -> None:
        good = np.isfinite(self.rows).all(axis=1) & (self.rows != 0).any(axis=1)
        object.__setattr__(self, "good", good)

    def have(self, joined: np.ndarray) -> np.ndarray:
        """Whether each sampled item has, as `joined` (n,), a row that can be compared."""
        return (joined != MISSING) & self.good[joined]

    def measure(self, joined: np.ndarray, of: np.ndarray) -> Agreement | None:
        """Return the agreement of the sampled items `of` (n,) of bool, as they are joined."""
        similarity = self.sample.similarity if of.all() else self.sample.similarity[np.ix_(of, of)]
        return measure_agreement(similarity, self.rows[joined[of]].astype(np.float32, copy=False))

    def z(self, joined: np.ndarray) -> float:
        """The z of all items that have a row as they are joined; 0 if it cannot be measured."""
        measured = self.measure(joined, self.have(joined))
        return 0.0 if measured is None else measured.z


def measure_content(
    arrays: Mapping[str, np.ndarray], known: Mapping[str, np.ndarray], log: Interactions, clearly_better: float
) -> dict[str, Content]:
    """Measure every feature that can be measured. arrays: feature -> (m, d). known: feature -> (m,) ids of its rows.

    A feature is left out if it is no matrix with one id per row, or if fewer than FEWEST_ITEMS of the sampled items
    have it. The same items are sampled for all features and, as far as they are still there, every night; of a large
    catalogue they are among the MOST_POPULAR.
    """
    shaped = {name: rows for name, rows in arrays.items() if _is_matrix(rows, known[name])}
    counts = np.bincount(log.items, minlength=len(log.item_ids))
    somewhere = np.unique(np.concatenate([known[name] for name in shaped])) if shaped else np.array([], dtype=str)
    candidates = np.flatnonzero((counts > 0) & np.isin(log.item_ids, somewhere))
    if len(candidates) < FEWEST_ITEMS:
        return {}
    candidates = candidates[np.argsort(-counts[candidates], kind="stable")[:MOST_POPULAR]]
    codes = candidates[sample_items(log.item_ids[candidates])]
    sample = _Sample(codes, log.item_ids[codes], measure_similarity(log, codes))
    found = {name: _measure(sample, rows, known[name], log, clearly_better) for name, rows in shaped.items()}
    return {name: content for name, content in found.items() if content is not None}


def _is_matrix(rows: np.ndarray, known: np.ndarray) -> bool:
    """Whether rows are vectors of numbers, one for each id; otherwise rules about the array have failed."""
    return rows.ndim == 2 and rows.shape[1] > 0 and rows.dtype.kind in "fiu" and len(rows) == len(known) > 0


def _measure(
    sample: _Sample, rows: np.ndarray, known: np.ndarray, log: Interactions, clearly_better: float
) -> Content | None:
    feature = _Feature(sample, rows, join_by_id(sample.ids, known))
    agreement = feature.measure(feature.own, feature.have(feature.own))
    if agreement is None:
        return None
    beside = max(feature.z(one.find_rows()[sample.codes]) for one in neighbouring_ids(log, known))
    every = chain(list_alternatives(log, known), neighbouring_ids(log, known))
    better = max(_find_better(feature, every, clearly_better), key=lambda one: one.theirs.z, default=None)
    return Content(agreement, beside, better)


def _find_better(feature: _Feature, every: Iterator[Alternative], clearly_better: float) -> Iterator[Better]:
    """Yield the alternatives that agree clearly better than the join as it is, on the items that both have.

    An alternative must also be clearly better than itself one step to either side. Where a log is in order of time and
    rows are sorted by artist, any order by first appearance gives songs of one session to one artist: it agrees, and
    one step aside as well as before. The join that somebody meant is right for every item, and one step aside for none.
    """
    codes, seen = feature.sample.codes, [feature.own]
    for alternative in every:
        joined = alternative.find_rows()[codes]
        both = feature.have(joined) & feature.have(feature.own)
        if both.sum() < FEWEST_ITEMS or any(np.mean(joined[both] == one[both]) > SAME for one in seen):
            continue
        seen.append(joined)
        theirs = feature.measure(joined, both)
        if theirs is None or theirs.z < CLEAR:
            continue
        most = theirs.z / clearly_better
        ours = feature.measure(feature.own, both)
        if ours is None or ours.z > most:
            continue
        if all(feature.z(alternative.find_rows(step)[codes]) <= most for step in (-1, 1)):
            yield Better(alternative.words, theirs, ours, feature.sample.ids[both].tolist())
