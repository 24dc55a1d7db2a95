"""Media of one feature into the cache of embeddings; several processes may share the work."""

from __future__ import annotations

import logging
import re
import time
from typing import Annotated

import typer

from tasks.encoders.pipeline import Medium, encode_all
from tasks.errors import BadInput
from tasks.runs.embeddings import list_candidates, list_unknown, open_cache, open_encoder
from tasks.runs.plan import find_feature, read_plan, scan_artefact
from tasks.steps.options import Device, FeatureName, Run
from tasks.store import open_store

log = logging.getLogger(__name__)
Shard = Annotated[str, typer.Option(help="i/n: the i-th of n parts of the media, from 1/n to n/n.")]


def encode(*, run: Run, feature: FeatureName, shard: Shard = "1/1", device: Device = "cpu") -> dict[str, object]:
    """Encode the media of one feature of a run into the cache, or one part of them; `extract` finds them there.

    Parts are drawn by the hash of the content: they are disjoint, together they are everything, and each may run on
    another machine. What is in the cache already is not encoded again. Files that cannot be used are judged by
    `extract`.
    """
    begun = time.perf_counter()
    part, parts = read_shard(shard)
    store = open_store()
    plan = read_plan(store, run)
    chosen = find_feature(plan, feature)
    if feature in plan.matrices:
        log.info("%s has a ready-made matrix: there is nothing to encode", feature)
        return {"feature": feature, "shard": shard, "found": 0, "cached": 0, "encoded": 0, "rejected": 0}
    encoder = open_encoder(store, plan, chosen, device)
    every = list_candidates(store, plan, scan_artefact(store, run), chosen)
    media = [medium for medium in every if shard_of(medium, parts) == part]
    cache = open_cache(store, chosen, encoder)
    known = cache.read({medium.sha256 for medium in media})
    todo = list_unknown(media, known)
    log.info("%s, part %s: %d of %d items, %d files to be encoded", feature, shard, len(media), len(every), len(todo))
    fresh, changed = encode_all(store, chosen.modality, encoder, cache, todo)
    for reason in changed.values():
        log.warning("a medium of %s was %s", feature, reason)
    cached = sum(medium.sha256 in known for medium in media)
    counts = {"found": len(media), "cached": cached, "encoded": len(fresh.vectors)}
    counts |= {"rejected": len(fresh.rejected) + len(changed)}
    return {"feature": feature, "shard": shard, **counts, "seconds": round(time.perf_counter() - begun, 1)}


def read_shard(text: str) -> tuple[int, int]:
    """The part, from 0, and how many there are."""
    found = re.fullmatch(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})", text)
    part, parts = (int(found[1]), int(found[2])) if found else (1, 0)
    if part > parts:
        raise BadInput(f"shard {text!r} found, expected i/n with i from 1 to n, such as 2/4")
    return part - 1, parts


def shard_of(medium: Medium, parts: int) -> int:
    """The part that a medium is in, by its content alone."""
    return int(medium.sha256, 16) % parts
