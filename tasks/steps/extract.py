"""Media of one feature to vectors: only those that no night before has encoded."""

from __future__ import annotations

import hashlib
import json
import logging
import time

import numpy as np
import pandas as pd

from tasks.encoders.pipeline import Medium
from tasks.errors import NotFound, TaskError, ValidationFailed
from tasks.media.remarks import is_odd
from tasks.runs.config import Feature
from tasks.runs.embeddings import encode_rows, encode_unknown, list_candidates, list_unknown, open_cache
from tasks.runs.plan import Plan, find_feature, read_plan, scan_artefact
from tasks.steps.options import Device, FeatureName, Run
from tasks.store import Artefact, Store, open_store, read_artefact, write_artefact
from tasks.store.layout import quarantine_folder, run_key

log = logging.getLogger(__name__)
REJECTED = ["item_id", "key", "sha256", "reason"]
REMARKS = ["item_id", "key", "sha256", "remark"]
MOST_NAMED = 10


def extract(*, run: Run, feature: FeatureName, device: Device = "cpu") -> dict[str, object]:
    """Encode the media of one feature of a run; embeddings of earlier runs come from the cache.

    Embeddings that `encode` put there are used too. Files that cannot be used are logged, quarantined and left out;
    more of them than the share max_bad_share of the plan ends the run with exit code 10. A run that was killed goes on
    where its last part of the cache ended.
    """
    begun = time.perf_counter()
    store = open_store()
    plan, scanned = read_plan(store, run), scan_artefact(store, run)
    chosen = find_feature(plan, feature)
    if feature in plan.matrices:
        return _take_rows(store, plan, chosen, scanned, device)
    media = list_candidates(store, plan, scanned, chosen)
    identity = plan.encoders[feature]
    known = open_cache(store, plan, chosen).read({medium.sha256 for medium in media})
    todo = list_unknown(media, known)
    log.info("%s: %d items, %d files to be encoded by %s", feature, len(media), len(todo), identity)
    fresh, changed = encode_unknown(store, plan, chosen, todo, device)
    cached = sum(medium.sha256 in known.vectors for medium in media)
    known.update(fresh)
    bad = _without_vector(media, known.rejected | changed)
    _quarantine(store, run, chosen, bad[bad["sha256"].isin(known.rejected)])
    _check_share(bad, len(media), plan.config.max_bad_share, chosen.modality)
    good = [medium for medium in media if medium.sha256 in known.vectors]
    if len(good) + len(bad) != len(media):
        raise TaskError(f"{len(good)} vectors and {len(bad)} reasons found, expected one for each of {len(media)}")
    counts = {"found": len(media), "cached": cached, "extracted": len(good) - cached}
    odd = _remark(good, known.remarks)
    counts |= {"rejected": len(bad), "kept": len(good), "odd": int(odd["remark"].map(is_odd).sum())}
    vectors = np.stack([known.vectors[medium.sha256] for medium in good])
    with write_artefact(store, run_key(run, f"extract-{feature}"), inputs=[scanned], encoder=identity) as out:
        out.array("vectors.npy", vectors)
        items = {"item_id": [medium.item for medium in good], "sha256": [medium.sha256 for medium in good]}
        out.frame("items.csv", pd.DataFrame(items))
        out.frame("rejected.csv", bad)
        out.frame("remarks.csv", odd)
        out.counts.update(counts)
    seconds = round(time.perf_counter() - begun, 1)
    return {**_name_feature(chosen), **counts, "width": vectors.shape[1], "encoder": identity, "seconds": seconds}


def _name_feature(feature: Feature) -> dict[str, str]:
    return {"feature": feature.name, "modality": feature.modality}


def _without_vector(media: list[Medium], reasons: dict[str, str]) -> pd.DataFrame:
    """Return columns REJECTED; each file is logged in every run."""
    rows = [(m.item, m.key, m.sha256, reasons[m.sha256]) for m in media if m.sha256 in reasons]
    for _, key, _, reason in rows:
        log.warning("%s is left out: %s", key, reason)
    return pd.DataFrame(rows, columns=REJECTED)


def _remark(media: list[Medium], remarks: dict[str, str]) -> pd.DataFrame:
    """Return columns REMARKS; media that have hardly anything in them are logged one by one in every run."""
    rows = [(m.item, m.key, m.sha256, remarks[m.sha256]) for m in media if m.sha256 in remarks]
    for _, key, _, remark in rows:
        if is_odd(remark):
            log.warning("%s is %s", key, remark)
    return pd.DataFrame(rows, columns=REMARKS)


def _take_rows(store: Store, plan: Plan, feature: Feature, scanned: Artefact, device: str) -> dict[str, object]:
    """A ready-made matrix takes the place of media: its rows are the vectors, or what the encoder makes of them."""
    begun = time.perf_counter()
    matrix = read_artefact(store, plan.matrices[feature.name])
    vectors, encoder = matrix.array("vectors.npy"), plan.encoders.get(feature.name)
    items = matrix.text_frame("items.csv")
    items["sha256"] = [hashlib.sha256(row.tobytes()).hexdigest() for row in vectors]
    cached = len(items)
    if encoder is not None:
        vectors, cached = encode_rows(store, plan, feature, vectors, items["sha256"].tolist(), device)
    counts = {"found": len(items), "cached": cached, "extracted": len(items) - cached, "rejected": 0}
    counts |= {"kept": len(items), "odd": 0}
    step = run_key(plan.run, f"extract-{feature.name}")
    with write_artefact(store, step, inputs=[scanned, matrix], encoder=encoder) as out:
        out.array("vectors.npy", vectors)
        out.frame("items.csv", items)
        out.frame("rejected.csv", pd.DataFrame(columns=REJECTED))
        out.frame("remarks.csv", pd.DataFrame(columns=REMARKS))
        out.counts.update(counts)
    log.info("%s: %d items of the ready-made matrix %s", feature.name, len(items), matrix.prefix)
    seconds = round(time.perf_counter() - begun, 1)
    return {**_name_feature(feature), **counts, "width": vectors.shape[1], "encoder": encoder, "seconds": seconds}


def _quarantine(store: Store, run: str, feature: Feature, bad: pd.DataFrame) -> None:
    """A copy of each refused file with the reasons beside; the original stays where it was dropped."""
    if bad.empty:
        return
    folder = quarantine_folder(run, feature.name)
    for key in bad["key"] if not feature.template else []:  # what was written is in no file
        try:
            store.copy(key, f"{folder}/{key.rpartition('/')[2]}")
        except NotFound:
            log.warning("%s was removed since the scan, so it is not in quarantine", key)
    reasons = {str(row.key): str(row.reason) for row in bad.itertuples()}
    store.put(f"{folder}/reasons.json", json.dumps(reasons, indent=1, ensure_ascii=False).encode())
    log.warning("%d %s files are in quarantine under %s/", len(bad), feature.name, folder)


def _check_share(bad: pd.DataFrame, total: int, most: float, modality: str) -> None:
    if len(bad) > most * total or len(bad) == total:
        first = bad.head(MOST_NAMED)
        names = ", ".join(f"{key} ({reason})" for key, reason in zip(first["key"], first["reason"], strict=True))
        more = f" and {len(bad) - len(first)} more" if len(bad) > len(first) else ""
        raise ValidationFailed(
            f"{len(bad)} of {total} {modality} files cannot be used, expected at most {most:.1%}: {names}{more}"
        )
