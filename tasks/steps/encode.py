"""Encodes the media of one feature into the embedding cache; several processes can share the work."""

from __future__ import annotations

import logging
import re
import time
from typing import Annotated

import typer

from tasks.encoders.pipeline import Medium
from tasks.errors import BadInput
from tasks.runs.embeddings import encode_unknown, list_candidates, list_unknown, open_cache
from tasks.runs.plan import find_feature, read_plan, scan_artefact
from tasks.steps.options import Device, FeatureName, Run
from tasks.store import open_store

log = logging.getLogger(__name__)
Shard = Annotated[str, typer.Option(help="i/n: encode shard i of n, from 1/n to n/n.")]


def encode(*, run: Run, feature: FeatureName, shard: Shard = "1/1", device: Device = "cpu") -> dict[str, object]:
    """Encode the media of one feature of a run, or one shard of them, into the embedding cache that `extract` reads.

    A medium's shard follows from its content hash, so the shards are disjoint and complete and can run on different
    machines. Media in the cache are not encoded again. `extract` reports files that cannot be decoded.
    """
    begun = time.perf_counter()
    number, shards = read_shard(shard)
    store = open_store()
    plan = read_plan(store, run)
    chosen = find_feature(plan, feature)
    if feature in plan.matrices:
        log.info("%s has a ready-made matrix: there is nothing to encode", feature)
        return {"feature": feature, "shard": shard, "found": 0, "cached": 0, "encoded": 0, "rejected": 0}
    every = list_candidates(store, plan, scan_artefact(store, run), chosen)
    media = [medium for medium in every if shard_of(medium, shards) == number]
    known = open_cache(store, plan, chosen).find({medium.sha256 for medium in media})
    todo = list_unknown(media, known)
    log.info("%s, shard %s: %d of %d items, %d files to be encoded", feature, shard, len(media), len(every), len(todo))
    fresh, changed = encode_unknown(store, plan, chosen, todo, device)
    for reason in changed.values():
        log.warning("a medium of %s was %s", feature, reason)
    cached = sum(medium.sha256 in known for medium in media)
    counts = {"found": len(media), "cached": cached, "encoded": len(fresh.vectors)}
    counts |= {"rejected": len(fresh.rejected) + len(changed)}
    return {"feature": feature, "shard": shard, **counts, "seconds": round(time.perf_counter() - begun, 1)}


def read_shard(text: str) -> tuple[int, int]:
    """The number of the shard, from 0, and the number of shards."""
    match = re.fullmatch(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})", text)
    number, shards = (int(match[1]), int(match[2])) if match else (1, 0)
    if number > shards:
        raise BadInput(f"shard {text!r} found, expected i/n with i from 1 to n, such as 2/4")
    return number - 1, shards


def shard_of(medium: Medium, shards: int) -> int:
    """The number of the shard that a medium belongs to, by its content alone."""
    return int(medium.sha256, 16) % shards
