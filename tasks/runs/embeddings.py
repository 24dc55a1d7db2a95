"""The media that a run encodes for a feature, the encoder, and the media that are missing in the cache."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.data import numbering
from tasks.encoders import load_encoder
from tasks.encoders.cache import EmbeddingCache, Known
from tasks.encoders.identity import identify
from tasks.encoders.pipeline import MediaSource, Medium, encode_all
from tasks.errors import TaskError
from tasks.runs.config import Feature
from tasks.runs.inventory import candidates_of, items_by_feature, matrix_items
from tasks.runs.plan import Plan
from tasks.runs.written import WrittenTexts, write_texts
from tasks.store import Artefact, Store
from tasks.store.item_records import read_records


def list_candidates(store: Store, plan: Plan, scanned: Artefact, feature: Feature) -> list[Medium]:
    """The media of the items of the run that have this feature, in order of item."""
    inventory = scanned.frame("inventory.parquet")
    items = items_by_feature(inventory, matrix_items(store, plan.matrices), plan.config.list_features())
    ids = np.array(sorted(candidates_of(items, plan.config.missing) & items[feature.name]), dtype=np.str_)
    rows = inventory[inventory["modality"] == feature.listed_as].set_index("item").loc[ids[numbering(ids)].tolist()]
    return [Medium(str(row.Index), str(row.key), int(row.size), str(row.sha256)) for row in rows.itertuples()]


def open_cache(store: Store, plan: Plan, feature: Feature) -> EmbeddingCache:
    """The cache of the feature's encoder and modality, to be read; features with the same two share it.

    The encoder is not loaded. TaskError if its weights have changed since the plan was made.
    """
    identity = identify(store, feature.encoder)[feature.modality]
    _require_planned(identity, plan, feature)
    return EmbeddingCache(store, identity, feature.modality)


def encode_unknown(
    store: Store, plan: Plan, feature: Feature, media: Sequence[Medium], device: str
) -> tuple[Known, dict[str, str]]:
    """`encode_all` into the cache by the feature's encoder, which is loaded if there are any media.

    TaskError if its weights have changed since the plan was made, or since the cache was opened.
    """
    if not media:
        return Known(), {}
    encoder = load_encoder(store, feature.encoder, device=device)[feature.modality]
    _require_planned(encoder.identity, plan, feature)
    cache = EmbeddingCache(store, encoder.identity, feature.modality, encoder.width)
    return encode_all(_open_media(store, plan, feature), feature.modality, encoder, cache, media)


def _open_media(store: Store, plan: Plan, feature: Feature) -> MediaSource:
    """The store, or the texts that are written from the item records of the plan."""
    if not feature.template:
        return store
    prefix = str(plan.records)
    return WrittenTexts(write_texts(read_records(store, prefix), feature), prefix)


def encode_rows(  # noqa: PLR0917  rows and their hashes
    store: Store, plan: Plan, feature: Feature, rows: np.ndarray, hashes: Sequence[str], device: str
) -> tuple[np.ndarray, int]:
    """Vectors (n, width) of the rows (n, d) of a loaded table by the feature's encoder, and how many were cached.

    `hashes`: sha256 of the bytes of each row, by which the cache knows it. TaskError for a vector that is not finite,
    and if the encoder's weights have changed since the plan was made.
    """
    known = open_cache(store, plan, feature).read(set(hashes))
    cached = sum(sha256 in known.vectors for sha256 in hashes)
    todo = {sha256: row for sha256, row in zip(hashes, rows, strict=True) if sha256 not in known.vectors}
    if todo:
        encoder = load_encoder(store, feature.encoder, device=device)[feature.modality]
        _require_planned(encoder.identity, plan, feature)
        vectors = encoder.encode([encoder.decode(row.tobytes()) for row in todo.values()])
        if not np.isfinite(vectors).all():
            raise TaskError(f"encoder {encoder.identity} gave numbers that are not finite, expected finite ones")
        fresh = dict(zip(todo, vectors, strict=True))
        EmbeddingCache(store, encoder.identity, feature.modality, encoder.width).append(fresh, {})
        known.vectors.update(fresh)
    return np.stack([known.vectors[sha256] for sha256 in hashes]), cached


def _require_planned(identity: str, plan: Plan, feature: Feature) -> None:
    if identity != (planned := plan.encoders[feature.name]):
        raise TaskError(f"encoder {identity} found, expected {planned} by the run's plan: start a new run")


def list_unknown(media: Sequence[Medium], known: Known | set[str]) -> list[Medium]:
    """The media that are not in the cache, each content once."""
    return list({medium.sha256: medium for medium in media if medium.sha256 not in known}.values())
