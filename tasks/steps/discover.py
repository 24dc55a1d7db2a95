"""Detects changed media and interactions since the last call."""

from __future__ import annotations

import hashlib
import logging

from tasks.errors import NotFound, NothingToDo
from tasks.runs.config import MODALITIES
from tasks.runs.inventory import known_datasets, list_media
from tasks.steps.options import Dataset
from tasks.store import open_history, open_store
from tasks.store.layout import check_dataset_name, interactions_folder, matrix_folder, media_folder
from tasks.store.pointers import current

log = logging.getLogger(__name__)


def discover(*, dataset: Dataset) -> dict[str, object]:
    """Report whether media or interactions have changed since the last call; exit code 99 if nothing has.

    Only listings and versions are compared and nothing is read: the scan of the following run decides by content.
    Matrices made elsewhere count as media.
    """
    store = open_store()
    objects = list_media(store, check_dataset_name(dataset))
    named = {info.key.split("/")[2] for info in store.list(matrix_folder(dataset, ""))} - set(MODALITIES)
    matrices = [matrix_folder(dataset, feature) for feature in (*MODALITIES, *sorted(named))]
    pointers = [prefix for folder in matrices if (prefix := current(store, folder))]
    interactions = current(store, interactions_folder(dataset))
    if not objects and not pointers and interactions is None:
        known = ", ".join(known_datasets(store)) or "none yet"
        raise NotFound(
            f"dataset {dataset!r} has nothing, expected media under {media_folder(dataset)}image/, audio/ or text/, "
            f"or one of the existing datasets: {known}"
        )
    listing = sorted(f"{info.key} {info.size} {info.etag}" for infos in objects.values() for info in infos) + pointers
    fingerprint = hashlib.sha256("\n".join(listing).encode()).hexdigest() if listing else ""
    with open_history() as history:
        changed = history.find_changes(dataset, media=fingerprint, interactions=interactions)
    counts = {modality: len(infos) for modality, infos in objects.items()}
    said = ", ".join(f"{count} {modality}" for modality, count in counts.items()) or "no media"
    if not changed:
        raise NothingToDo(f"nothing of {dataset} changed since the last look ({said})")
    log.info("%s of %s changed (%s)", " and ".join(changed), dataset, said)
    return {"dataset": dataset, "changed": changed, **counts}
