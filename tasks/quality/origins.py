"""Facts about where aligned vectors come from: each is what `extract` wrote, and that is the vector of its medium.

Positions prove nothing: two matrices whose rows were swapped have the right shape, and keys that are right by
themselves. Every row is therefore compared with the row of the same item one step before, back to the content of the
medium, by its sha256.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from tasks.quality.artefacts import Counts, artefacts_table
from tasks.quality.columns import words
from tasks.quality.source_rows import same_rows
from tasks.quality.suite import ID, Evidence, Table, all_true, at_most
from tasks.quality.vectors import row_digests

MOST_SHARED = 0.01  # of the items: two features of an item may well be vectors of nothing, such as of silence


@dataclass(frozen=True)
class Extracted:
    """What `extract` wrote for a feature, and what that was made from.

    origin: identity of the planned encoder, or prefix of the ready-made matrix. vectors (n, d) and keys: frame
    item_id, sha256. kept: ids of which a row is to be in the aligned matrix. media: item id -> sha256 of its medium
    by the inventory. cached (n, d): the vector that the encoder's cache, or the ready-made matrix, has for each
    row's medium, and has_cached (n,) whether there is one. encoder and planned: the identity in the manifest and in
    the plan; "" for a ready-made matrix. odd: item id -> what was remarked on when its medium was decoded. current:
    name of a source -> whether it is the version that the artefact was made from. counts: stated and found numbers
    by name.
    """

    origin: str
    vectors: np.ndarray
    keys: pd.DataFrame
    kept: frozenset[str]
    media: Mapping[str, str]
    cached: np.ndarray
    has_cached: np.ndarray
    encoder: str
    planned: str
    odd: Mapping[str, str]
    current: Mapping[str, bool]
    counts: Counts


def origin_tables(feature: str, array: np.ndarray, keys: pd.DataFrame, extracted: Extracted) -> list[Table]:
    """Tables about an aligned matrix (m, d) with its `keys` (item_id, sha256), and about what it was made from."""
    return [
        _aligned_table(feature, array, keys, extracted),
        _extracted_table(feature, keys, extracted),
        _encoder_table(feature, extracted),
        artefacts_table(feature, extracted.current, extracted.counts),
    ]


def _aligned_table(feature: str, array: np.ndarray, keys: pd.DataFrame, extracted: Extracted) -> Table:
    """One row per aligned vector that has a key."""
    rows = min(len(array) if array.ndim else 0, len(keys))
    ids, media = words(keys["item_id"])[:rows], words(keys["sha256"])[:rows]
    source_ids, source_media = words(extracted.keys["item_id"]), words(extracted.keys["sha256"])
    place = _first_places(source_ids, ids)
    known = np.where(place >= 0, source_media[place] if len(source_media) else "", "")
    frame = pd.DataFrame(
        {ID: ids, "same": same_rows(array[:rows], extracted.vectors, place), "medium": (place >= 0) & (known == media)}
    )
    rules = [
        all_true("rows_equal_extracted", feature, "the vector that was extracted for the item", "same"),
        all_true("media_are_those_extracted", feature, "the medium that was extracted for the item", "medium"),
    ]
    return Table(f"{feature} beside what was extracted", frame, rules)


def _extracted_table(feature: str, keys: pd.DataFrame, extracted: Extracted) -> Table:
    """One row per extracted vector."""
    ids, media = words(extracted.keys["item_id"]), words(extracted.keys["sha256"])
    rows = min(len(extracted.vectors), len(ids))
    own = np.zeros(len(ids), dtype=bool)
    own[:rows] = same_rows(extracted.vectors[:rows], extracted.cached, np.arange(rows)) & extracted.has_cached[:rows]
    listed = np.array([extracted.media.get(item, "") == medium for item, medium in zip(ids, media, strict=True)])
    aligned = np.isin(ids, words(keys["item_id"])) | ~np.isin(ids, sorted(extracted.kept))
    frame = pd.DataFrame({ID: ids, "own": own, "listed": listed.astype(bool), "aligned": aligned})
    rules = [
        all_true("vectors_are_of_their_medium", feature, "the encoder's vector of the medium's sha256", "own"),
        all_true("media_are_those_of_the_item", feature, "the medium that the inventory has for the item", "listed"),
        all_true("extracted_items_are_aligned", feature, "a row in the aligned matrix", "aligned"),
    ]
    return Table(f"extracted {feature}", frame, rules)


def _encoder_table(feature: str, extracted: Extracted) -> Table:
    """Whether the vectors are of the encoder that was planned."""
    none, name = "none, for the matrix is ready-made", "encoder_is_that_of_the_plan"
    frame = pd.DataFrame({"same": extracted.encoder == extracted.planned}, index=[0])
    evidence = Evidence(extracted.encoder or none)
    return Table(
        f"encoder of {feature}", frame, [all_true(name, feature, extracted.planned or none, "same", evidence=evidence)]
    )


def features_table(
    arrays: Mapping[str, np.ndarray], keys: Mapping[str, pd.DataFrame], same: set[frozenset[str]]
) -> Table:
    """Rules about each pair of features: they share no vectors, unless they are in `same`: two names for one thing."""
    digests = {name: _digest_by_item(array, keys[name]) for name, array in arrays.items()}
    facts: dict[str, float] = {"features": len(arrays)}
    rules = []
    for pair in combinations(arrays, 2):
        if frozenset(pair) in same:
            continue
        both = pd.concat([digests[name] for name in pair], axis=1, join="inner")
        shared = both.index[(both.iloc[:, 0] == both.iloc[:, 1]).to_numpy()].tolist()
        name = " and ".join(pair)
        facts[name] = len(shared) / max(len(both), 1)
        evidence = Evidence(f"{len(shared)} of {len(both)}", len(shared), max(len(both), 1), shared)
        expected = f"at most {MOST_SHARED:.0%} of the items with one vector in both"
        rules.append(at_most("features_differ", name, expected, name, MOST_SHARED, evidence=evidence))
    return Table("features", pd.DataFrame(facts, index=[0]), rules)


def _digest_by_item(array: np.ndarray, keys: pd.DataFrame) -> pd.Series:
    """The digest of each row by item id, of equal ids that of the first."""
    ids = words(keys["item_id"])[: len(array)]
    digests = pd.Series(row_digests(array[: len(ids)]), index=ids)
    return digests[~digests.index.duplicated()]


def _first_places(among: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Return (n,): where each of `ids` (n,) stands first in `among` (m,), -1 for one that does not."""
    places = pd.Series(np.arange(len(among)), index=among)
    first = places[~places.index.duplicated()].reindex(ids)
    return np.asarray(first.fillna(-1).to_numpy(dtype=np.int64))
