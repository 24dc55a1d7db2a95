"""Media of one modality to vectors: only those that no night before has encoded."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

from tasks.encoders import load_encoder
from tasks.encoders.base import ModalityEncoder
from tasks.encoders.cache import EmbeddingCache, Known
from tasks.encoders.decode import LARGEST_FILE, BadMedia
from tasks.errors import BadInput, Corrupt, TaskError, ValidationFailed
from tasks.progress import progress
from tasks.steps.inventory import with_all
from tasks.steps.options import Modality, Run
from tasks.steps.plan import Plan, read_plan, run_key, scan_artefact
from tasks.store import Artefact, Store, open_store, read_artefact, write_artefact

log = logging.getLogger(__name__)
BATCH = 32  # media encoded at once
AHEAD = 3 * BATCH  # media that may be decoded and waiting
DECODERS = 2  # threads
PART = 512  # media between two parts of the cache: what a killed run loses at most
REJECTED = ["item_id", "key", "sha256", "reason"]


@dataclass(frozen=True)
class Medium:
    """One file to be encoded."""

    item: str
    key: str
    sha256: str


def extract(*, run: Run, modality: Modality) -> dict[str, object]:
    """Encode the media of one modality of a run; what an earlier night encoded is taken from the cache.

    Files that cannot be decoded are logged, quarantined and left out; more of them than the share max_bad_share of the plan
    ends the run with exit code 10. A run that was killed goes on where its last part of the cache ended.
    """
    start = time.perf_counter()
    store = open_store()
    plan = read_plan(store, run)
    if modality not in plan.config.modalities:
        raise BadInput(f"modality {modality!r} found, expected one of the run's: {', '.join(plan.config.modalities)}")
    scanned = scan_artefact(store, run)
    if modality in plan.matrices:
        return _copy_matrix(store, plan, modality, scanned)
    encoder = load_encoder(store, plan.config.encoder)[modality]
    if encoder.identity != plan.encoders[modality]:
        raise TaskError(f"encoder {encoder.identity} found, expected {plan.encoders[modality]} by the run's plan: start a new run")
    media = candidates(store, plan, scanned, modality)
    cache = EmbeddingCache(store, encoder.identity, modality, encoder.width)
    known = cache.read({medium.sha256 for medium in media})
    todo = list({m.sha256: m for m in media if m.sha256 not in known}.values())
    log.info("%s: %d items, %d in the cache, %d to be encoded by %s", modality, len(media), len(media) - len(todo), len(todo), encoder.identity)
    encode_all(store, encoder, cache, todo, known, label=f"encoding {modality}")
    bad = pd.DataFrame([(m.item, m.key, m.sha256, known.rejected[m.sha256]) for m in media if m.sha256 in known.rejected], columns=REJECTED)
    _quarantine(store, run, modality, bad)
    _check_share(bad, len(media), plan.config.max_bad_share, modality)
    good = [medium for medium in media if medium.sha256 in known.vectors]
    seconds = round(time.perf_counter() - start, 1)
    counts = {"found": len(media), "cached": len(media) - len(todo), "extracted": len(todo), "rejected": len(bad), "kept": len(good)}
    prefix = run_key(run, f"extract-{modality}")
    with write_artefact(store, prefix, inputs=[scanned], encoder=encoder.identity) as out:
        out.array("vectors.npy", np.stack([known.vectors[m.sha256] for m in good]))
        out.frame("items.csv", pd.DataFrame({"item_id": [m.item for m in good], "sha256": [m.sha256 for m in good]}))
        out.frame("rejected.csv", bad)
        out.counts.update(counts)
    return {"modality": modality, **counts, "width": encoder.width, "encoder": encoder.identity, "seconds": seconds}


def candidates(store: Store, plan: Plan, scanned: Artefact, modality: str) -> list[Medium]:
    """The media of items that have all modalities of the run, in order of item."""
    inventory = scanned.frame("inventory.parquet")
    matrices = {
        name: read_artefact(store, prefix).frame("items.csv", dtype={"item_id": str}, keep_default_na=False)["item_id"].to_numpy(dtype=np.str_)
        for name, prefix in plan.matrices.items()
    }
    rows = inventory[inventory["modality"] == modality].set_index("item")
    return [
        Medium(item, str(key), str(sha256))
        for item, key, sha256 in rows.loc[with_all(inventory, matrices, plan.config.modalities).tolist(), ["key", "sha256"]].itertuples()
    ]


def encode_all(
    store: Store,
    encoder: ModalityEncoder,
    cache: EmbeddingCache,
    media: Sequence[Medium],
    known: Known,
    *,
    label: str,
) -> None:
    """Encode `media` into `known` and the cache: threads read and decode ahead of the encoder, in bounded number."""

    def decode(medium: Medium) -> Any:
        data = store.get(medium.key, limit=LARGEST_FILE)
        found = hashlib.sha256(data).hexdigest()
        if found != medium.sha256:
            raise Corrupt(f"{medium.key} changed since the scan (sha256 {found}, expected {medium.sha256}): start a new run")
        try:
            return encoder.decode(data)
        except BadMedia as error:
            return error

    vectors: dict[str, np.ndarray] = {}
    rejected: dict[str, str] = {}

    def flush() -> None:
        cache.append(vectors, rejected)
        known.vectors.update(vectors)
        known.rejected.update(rejected)
        vectors.clear()
        rejected.clear()

    decoded = iter(progress(ahead(decode, media), label=label, total=len(media), unit="file"))
    while batch := list(islice(decoded, BATCH)):
        for medium, content in batch:
            if isinstance(content, BadMedia):
                log.warning("%s is left out: %s", medium.key, content)
                rejected[medium.sha256] = str(content)
        good = [(medium, content) for medium, content in batch if not isinstance(content, BadMedia)]
        if good:
            rows = checked(encoder, encoder.encode([content for _, content in good]), len(good))
            vectors.update(zip((medium.sha256 for medium, _ in good), rows, strict=True))
        if len(vectors) + len(rejected) >= PART:
            flush()
    flush()


def ahead(decode: Callable[[Medium], Any], media: Sequence[Medium]) -> Iterator[tuple[Medium, Any]]:
    """Each medium with what `decode` makes of it, in order, at most AHEAD of them at once."""
    with ThreadPoolExecutor(DECODERS) as pool:
        rest = iter(media)
        waiting: list[tuple[Medium, Future[Any]]] = [(m, pool.submit(decode, m)) for m in islice(rest, AHEAD)]
        try:
            while waiting:
                medium, future = waiting.pop(0)
                yield medium, future.result()
                waiting += [(m, pool.submit(decode, m)) for m in islice(rest, 1)]
        finally:
            for _, future in waiting:
                future.cancel()


def checked(encoder: ModalityEncoder, rows: np.ndarray, count: int) -> np.ndarray:
    """The encoder's answer, if it is what the contract says."""
    if rows.shape != (count, encoder.width) or rows.dtype != np.float32:
        raise TaskError(f"encoder {encoder.identity} gave {rows.dtype} of shape {rows.shape}, expected float32 of ({count}, {encoder.width})")
    return rows


def _copy_matrix(store: Store, plan: Plan, modality: str, scanned: Artefact) -> dict[str, object]:
    """A ready-made matrix takes the place of encoding."""
    matrix = read_artefact(store, plan.matrices[modality])
    vectors = matrix.array("vectors.npy")
    items = matrix.frame("items.csv", dtype={"item_id": str}, keep_default_na=False)
    items["sha256"] = [hashlib.sha256(row.tobytes()).hexdigest() for row in vectors]
    counts = {"found": len(items), "cached": len(items), "extracted": 0, "rejected": 0, "kept": len(items)}
    with write_artefact(store, run_key(plan.run, f"extract-{modality}"), inputs=[scanned, matrix]) as out:
        out.array("vectors.npy", vectors)
        out.frame("items.csv", items)
        out.frame("rejected.csv", pd.DataFrame(columns=REJECTED))
        out.counts.update(counts)
    log.info("%s: %d items of the ready-made matrix %s", modality, len(items), matrix.prefix)
    return {"modality": modality, **counts, "width": vectors.shape[1], "encoder": None}


def _quarantine(store: Store, run: str, modality: str, bad: pd.DataFrame) -> None:
    """A copy of each refused file with the reasons beside; the original stays where it was dropped."""
    if bad.empty:
        return
    folder = f"quarantine/{run}/{modality}"
    for key in bad["key"]:
        store.copy(key, f"{folder}/{key.rpartition('/')[2]}")
    reasons = {str(row.key): str(row.reason) for row in bad.itertuples()}
    store.put(f"{folder}/reasons.json", json.dumps(reasons, indent=1, ensure_ascii=False).encode())
    log.warning("%d %s files are in quarantine under %s/", len(bad), modality, folder)


def _check_share(bad: pd.DataFrame, total: int, most: float, modality: str) -> None:
    if len(bad) > most * total or len(bad) == total:
        names = ", ".join(f"{key} ({reason})" for key, reason in zip(bad["key"][:10], bad["reason"][:10], strict=True))
        raise ValidationFailed(f"{len(bad)} of {total} {modality} files cannot be used, expected at most {most:.1%}: {names}")
