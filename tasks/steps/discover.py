"""Detects changed media and interactions since the last call."""

from __future__ import annotations

import logging

from tasks.errors import NotFound, NothingToDo
from tasks.runs.inventory import fingerprint_media, known_datasets, list_media
from tasks.steps.options import Dataset
from tasks.store import open_history, open_store
from tasks.store.layout import check_dataset_name, interactions_folder, media_folder
from tasks.store.pointers import current

log = logging.getLogger(__name__)


def discover(*, dataset: Dataset) -> dict[str, object]:
    """Report whether media or interactions have changed since the last call; exit code 99 if nothing has.

    Only listings and versions are compared and nothing is read: the scan of the following run decides by content.
    Matrices made elsewhere count as media.
    """
    store = open_store()
    objects = list_media(store, check_dataset_name(dataset))
    fingerprint = fingerprint_media(store, dataset, objects)
    interactions = current(store, interactions_folder(dataset))
    if not fingerprint and interactions is None:
        known = ", ".join(known_datasets(store)) or "none yet"
        raise NotFound(
            f"dataset {dataset!r} has nothing, expected media under {media_folder(dataset)}image/, audio/ or text/, "
            f"or one of the existing datasets: {known}"
        )
    with open_history() as history:
        changed = history.find_changes(dataset, media=fingerprint, interactions=interactions)
    counts = {modality: len(infos) for modality, infos in objects.items()}
    said = ", ".join(f"{count} {modality}" for modality, count in counts.items()) or "no media"
    if not changed:
        raise NothingToDo(f"nothing of {dataset} changed since the last look ({said})")
    log.info("%s of %s changed (%s)", " and ".join(changed), dataset, said)
    return {"dataset": dataset, "changed": changed, **counts}
