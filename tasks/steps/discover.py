"""A look at the media folder: has anything changed since the last look?"""

from __future__ import annotations

import hashlib
import logging

from tasks.errors import NotFound, NothingToDo
from tasks.steps.inputs import checked_dataset, current, interactions_folder, media_folder
from tasks.steps.inventory import listed
from tasks.steps.options import Dataset
from tasks.store import open_history, open_store

log = logging.getLogger(__name__)


def discover(*, dataset: Dataset) -> dict[str, object]:
    """Say whether media or interactions changed since the last look; exit code 99 when nothing did.

    Only the listing is compared, nothing is read: the scan of the run that follows decides by content.
    """
    store = open_store()
    objects = listed(store, checked_dataset(dataset))
    if not objects:
        raise NotFound(f"dataset {dataset!r} has no media, expected some under {media_folder(dataset)}image/, audio/ or text/")
    lines = [f"{info.key} {info.size} {info.etag}" for infos in objects.values() for info in infos]
    lines.append(str(current(store, interactions_folder(dataset))))
    fingerprint = hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
    with open_history() as history:
        changed = history.media_changed(dataset, fingerprint)
    counts = {modality: len(infos) for modality, infos in objects.items()}
    if not changed:
        raise NothingToDo(f"nothing under {media_folder(dataset)} changed since the last look ({counts})")
    log.info("%s changed: %s", dataset, counts)
    return {"dataset": dataset, **counts}
