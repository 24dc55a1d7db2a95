"""Facts about the arrivals of a prepared dataset: items with features that no model was trained on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from tasks.quality.columns import whole_numbers, words
from tasks.quality.suite import ID, Evidence, Table, all_true, equal

BLOCK = 256  # arrivals compared with all known items at once
SAME = 0.999  # cosine in every feature from which an arrival is a copy of a known item
MOST_COPIES = 0.5


def arrivals_tables(
    arrivals: pd.DataFrame,
    features: Mapping[str, np.ndarray],
    known: Mapping[str, np.ndarray],
    known_ids: np.ndarray,
    source_ids: np.ndarray,
) -> list[Table]:
    """Tables about `arrivals` (item_id, idx, source_idx) and their `features`: feature -> (A, d); none without any.

    `known`: features (K, d) of the known items `known_ids`; `source_ids`: ids of the rows that `source_idx` counts.
    """
    facts = {"arrivals": len(arrivals)} | {f"rows of {name}": len(matrix) for name, matrix in features.items()}
    frame = pd.DataFrame(facts, index=[0])
    counted = [
        equal("rows_equal_arrivals", name, "as many rows as arrivals", (f"rows of {name}", "arrivals"), frame)
        for name in features
    ]
    tables = [Table("arrivals", frame, counted)]
    sizes = {len(matrix) for matrix in features.values()}, {len(matrix) for matrix in known.values()}
    if len(arrivals) and sizes == ({len(arrivals)}, {len(known_ids)}):  # else a rule about rows has failed already
        tables += [_items_table(arrivals, known_ids, source_ids), _vectors_table(arrivals, features, known)]
    return tables


def _items_table(arrivals: pd.DataFrame, known_ids: np.ndarray, source_ids: np.ndarray) -> Table:
    """One row per arrival: numbered after the known items, none of them, and of a source row of its own id."""
    ids, idx, source = words(arrivals["item_id"]), whole_numbers(arrivals["idx"]), whole_numbers(arrivals["source_idx"])
    inside = (source >= 0) & (source < len(source_ids))
    found = np.full(len(ids), "", dtype=object)
    found[inside] = source_ids[source[inside]]
    frame = pd.DataFrame(
        {
            ID: ids,
            "numbered": idx == len(known_ids) + np.arange(len(ids)),
            "unknown": ~np.isin(ids, known_ids),
            "sourced": found == ids,
        }
    )
    rules = [
        all_true("arrivals_follow_known_items", "arrivals", "idx counting on after the known items", "numbered"),
        all_true("arrivals_are_not_known", "arrivals", "an item that is not in the mapping", "unknown"),
        all_true("source_rows_are_of_the_item", "arrivals", "a source row of the very same item", "sourced"),
    ]
    return Table("items that arrive", frame, rules)


def _vectors_table(
    arrivals: pd.DataFrame, features: Mapping[str, np.ndarray], known: Mapping[str, np.ndarray]
) -> Table:
    """One row per arrival: finite vectors, and no copy of a known item in every feature."""
    finite = np.logical_and.reduce([np.isfinite(matrix).all(axis=1) for matrix in features.values()])
    copies = np.zeros(len(arrivals), dtype=bool)
    copies[finite] = find_copies({name: matrix[finite] for name, matrix in features.items()}, known)
    ids = words(arrivals["item_id"])
    frame = pd.DataFrame({ID: ids, "finite": finite, "new": ~copies})
    count = int(copies.sum())
    evidence = Evidence(f"{count} of {len(ids)} copy a known item", count, len(ids), ids[copies].tolist())
    wanted = f"at most {MOST_COPIES:.0%} with the vectors of a known item in every feature: else ids have changed"
    rules = [
        all_true("vectors_are_finite", "arrivals", "no NaN and no infinity", "finite"),
        all_true("arrivals_are_new", "arrivals", wanted, "new", mostly=1 - MOST_COPIES, evidence=evidence),
    ]
    return Table("vectors that arrive", frame, rules)


def find_copies(features: Mapping[str, np.ndarray], known: Mapping[str, np.ndarray]) -> np.ndarray:
    """Whether (A,) an arrival has a cosine of at least SAME with one known item in every feature."""
    units = {name: (_units(features[name]), _units(known[name])) for name in features}
    size = len(next(iter(features.values())))
    copies = np.zeros(size, dtype=bool)
    for start in range(0, size, BLOCK):
        block = slice(start, start + BLOCK)
        similar = [(mine[block] @ others.T) >= SAME for mine, others in units.values()]  # (block, K) each
        copies[block] = np.logical_and.reduce(similar).any(axis=1)
    return copies


def _units(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1; a row of zeros stays, and is similar to nothing."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1), dtype=np.float32)
