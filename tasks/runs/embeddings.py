"""Which media a run embeds, by which encoder, and which of them the cache does not know yet."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.encoders import load_encoder
from tasks.encoders.base import ModalityEncoder
from tasks.encoders.cache import EmbeddingCache, Known
from tasks.encoders.pipeline import Medium
from tasks.errors import TaskError
from tasks.runs.inventory import matrix_items, with_all
from tasks.runs.plan import Plan
from tasks.store import Artefact, Store


def list_candidates(store: Store, plan: Plan, scanned: Artefact, modality: str) -> list[Medium]:
    """The media of items that have all modalities of the run, in order of item."""
    inventory = scanned.frame("inventory.parquet")
    items = with_all(inventory, matrix_items(store, plan.matrices), plan.config.modalities)
    rows = inventory[inventory["modality"] == modality].set_index("item").loc[items.tolist()]
    return [Medium(str(row.Index), str(row.key), int(row.size), str(row.sha256)) for row in rows.itertuples()]


def open_encoder(store: Store, plan: Plan, modality: str, device: str) -> ModalityEncoder:
    """The encoder of the plan. TaskError when the name has other weights by now."""
    encoder = load_encoder(store, plan.config.encoder, device=device)[modality]
    if encoder.identity != plan.encoders[modality]:
        raise TaskError(
            f"encoder {encoder.identity} found, expected {plan.encoders[modality]} by the run's plan: start a new run"
        )
    return encoder


def open_cache(store: Store, modality: str, encoder: ModalityEncoder) -> EmbeddingCache:
    """What this encoder has made of media of the modality."""
    return EmbeddingCache(store, encoder.identity, modality, encoder.width)


def list_unknown(media: Sequence[Medium], known: Known) -> list[Medium]:
    """The media of which nothing is known, each content once."""
    return list({medium.sha256: medium for medium in media if medium.sha256 not in known}.values())
