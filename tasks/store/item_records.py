"""The item records of a dataset in the store: versions by content, and a pointer to the current one."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from tasks.data.records import Records
from tasks.store.artefacts import read_artefact
from tasks.store.base import Store
from tasks.store.layout import items_folder
from tasks.store.pointers import current, point
from tasks.store.versions import Kept, write_version

log = logging.getLogger(__name__)
FILE = "items.parquet"


def current_records(store: Store, dataset: str) -> str | None:
    """The prefix of the current records of a dataset, or None."""
    return current(store, items_folder(dataset))


def read_records(store: Store, prefix: str | None) -> Records:
    """The records of a version; none for None."""
    return Records.nothing() if prefix is None else Records.load(read_artefact(store, prefix).path(FILE))


def replace_records(store: Store, dataset: str, records: Records, *, parameters: Mapping[str, object]) -> Kept:
    """Make `records` the current ones of a dataset, whatever there was."""
    folder, before = items_folder(dataset), current_records(store, dataset)
    counts = {"items": len(records), "fields": len(records.fields)}
    version = write_version(store, folder, FILE, records.save, parameters=parameters, counts=counts)
    point(store, folder, version)
    prefix = f"{folder}/{version}"
    if prefix == before:
        log.info("these records are already the current ones")
    return Kept(prefix, prefix != before, counts)
