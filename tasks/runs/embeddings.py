"""The media that a run encodes for a feature, the encoder, and the media that are missing in the cache."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.data import numbering
from tasks.encoders import load_encoder
from tasks.encoders.base import ModalityEncoder
from tasks.encoders.cache import EmbeddingCache, Known
from tasks.encoders.pipeline import Medium
from tasks.errors import TaskError
from tasks.runs.config import Feature
from tasks.runs.inventory import candidates_of, items_by_feature, matrix_items
from tasks.runs.plan import Plan
from tasks.store import Artefact, Store


def list_candidates(store: Store, plan: Plan, scanned: Artefact, feature: Feature) -> list[Medium]:
    """The media of the items of the run that have this feature, in order of item."""
    inventory = scanned.frame("inventory.parquet")
    items = items_by_feature(inventory, matrix_items(store, plan.matrices), plan.config.list_features())
    ids = np.array(sorted(candidates_of(items, plan.config.missing) & items[feature.name]), dtype=np.str_)
    rows = inventory[inventory["modality"] == feature.modality].set_index("item").loc[ids[numbering(ids)].tolist()]
    return [Medium(str(row.Index), str(row.key), int(row.size), str(row.sha256)) for row in rows.itertuples()]


def open_encoder(store: Store, plan: Plan, feature: Feature, device: str) -> ModalityEncoder:
    """The feature's encoder. TaskError if its weights have changed since the plan was made."""
    encoder, planned = (
        load_encoder(store, feature.encoder, device=device)[feature.modality],
        plan.encoders[feature.name],
    )
    if encoder.identity != planned:
        raise TaskError(f"encoder {encoder.identity} found, expected {planned} by the run's plan: start a new run")
    return encoder


def open_cache(store: Store, feature: Feature, encoder: ModalityEncoder) -> EmbeddingCache:
    """The embedding cache of this encoder and modality; features with the same two share it."""
    return EmbeddingCache(store, encoder.identity, feature.modality, encoder.width)


def list_unknown(media: Sequence[Medium], known: Known | set[str]) -> list[Medium]:
    """The media that are not in the cache, each content once."""
    return list({medium.sha256: medium for medium in media if medium.sha256 not in known}.values())
