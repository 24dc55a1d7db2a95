"""Reads where the vectors of a feature come from: what `extract` wrote, the inventory, and the cache or the matrix."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import pandas as pd

from tasks.encoders.cache import EmbeddingCache
from tasks.errors import BadInput
from tasks.media.remarks import is_odd
from tasks.quality import Extracted
from tasks.runs.embeddings import list_candidates
from tasks.runs.lineage import say_current
from tasks.runs.plan import Plan, find_feature
from tasks.store import Artefact, Store, read_artefact


def read_keys(extract: Artefact) -> pd.DataFrame:
    """The keys (item_id, sha256) of the rows that `extract` wrote. Raises BadInput without these columns."""
    keys = extract.text_frame("items.csv")
    missing = [column for column in ("item_id", "sha256") if column not in keys.columns]
    if missing:
        raise BadInput(
            f"{extract.prefix}/items.csv has the columns {list(keys.columns)}, expected {' and '.join(missing)} too: "
            "run the step again"
        )
    return keys


def read_extracted(
    store: Store, plan: Plan, made: Mapping[str, Artefact], name: str, kept: frozenset[str]
) -> Extracted:
    """Read what the feature `name` was extracted to and from; `kept`: the items that `align` had to keep.

    `made`: the artefacts of the run by step: scan, align and the feature's extract.
    """
    scanned, artefact, feature = made["scan"], made[f"extract-{name}"], find_feature(plan, name)
    vectors, keys = artefact.array("vectors.npy"), read_keys(artefact)
    sources = [scanned]
    if name in plan.matrices:
        matrix = read_artefact(store, plan.matrices[name])
        sources.append(matrix)
        cached, has, media = _read_matrix(matrix, keys)
        found = len(media)
        if name in plan.encoders:
            cached, has = _read_cache(store, plan.encoders[name], feature.modality, keys, vectors)
    else:
        cached, has = _read_cache(store, plan.encoders[name], feature.modality, keys, vectors)
        candidates = list_candidates(store, plan, scanned, feature)
        media, found = {medium.item: medium.sha256 for medium in candidates}, len(candidates)
    current = say_current(artefact, *sources) | say_current(made["align"], artefact)
    counts, rejected = artefact.manifest.counts, len(artefact.text_frame("rejected.csv"))
    odd = artefact.text_frame("remarks.csv")
    stated = {"kept": len(vectors), "rejected": rejected, "found": found, "odd": int(odd["remark"].map(is_odd).sum())}
    return Extracted(
        origin=plan.encoders.get(name) or plan.matrices[name],
        vectors=vectors,
        keys=keys,
        kept=kept,
        media=media,
        cached=cached,
        has_cached=has,
        encoder=artefact.manifest.encoder or "",
        planned=plan.encoders.get(name, ""),
        odd=dict(zip(odd["item_id"], odd["remark"], strict=True)),
        current=current,
        counts={what: (counts.get(what, -1), number) for what, number in stated.items()},
    )


def _read_cache(
    store: Store, identity: str, modality: str, keys: pd.DataFrame, vectors: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The encoder's cached vectors of the media of `keys`, as rows, and which of them are there."""
    width = vectors.shape[1] if vectors.ndim == 2 else 1
    media = keys["sha256"].tolist()
    known = EmbeddingCache(store, identity, modality, width).read(set(media)).vectors
    nothing = np.zeros(width, dtype=np.float32)
    rows = np.array([known.get(sha256, nothing) for sha256 in media], dtype=np.float32).reshape(len(media), width)
    return rows, np.array([sha256 in known for sha256 in media], dtype=bool)


def _read_matrix(matrix: Artefact, keys: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, dict[str, str]]:
    """Rows of a ready-made matrix for the items of `keys`, which of them are there, and item -> sha256 of its row."""
    vectors, ids = matrix.array("vectors.npy"), matrix.text_frame("items.csv")["item_id"].tolist()
    media = {item: hashlib.sha256(row.tobytes()).hexdigest() for item, row in zip(ids, vectors, strict=True)}
    places = pd.Index(ids).get_indexer(pd.Index(keys["item_id"]))
    return vectors[places], places >= 0, media
