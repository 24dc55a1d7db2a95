"""Makes the embedding caches cheap to read."""

from __future__ import annotations

import logging

from tasks.encoders.parts import join_parts, list_folders
from tasks.store import open_store

log = logging.getLogger(__name__)


def compact_cache() -> dict[str, object]:
    """Join many small parts of the embedding caches to few large ones, and index parts of earlier versions.

    Runs that read the small parts meanwhile still find them; `gc` removes them later.
    """
    store, totals = open_store(), {"caches": 0, "joined": 0, "made": 0}
    for folder in list_folders(store):
        joined, made = join_parts(store, folder)
        if joined:
            log.info("%s: %d parts were joined to %d", folder, joined, made)
        for name, number in (("caches", 1), ("joined", joined), ("made", made)):
            totals[name] += number
    return dict(totals)
