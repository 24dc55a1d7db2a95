"""The interaction logs of a dataset in the store: versions by content, and a pointer to the current one."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from tasks.data import Interactions
from tasks.data.append import append_rows
from tasks.errors import NotFound
from tasks.store.artefacts import Artefact, read_artefact
from tasks.store.base import Store
from tasks.store.layout import interactions_folder
from tasks.store.pointers import current, move, point
from tasks.store.versions import Kept, write_version

log = logging.getLogger(__name__)
FILE = "interactions.parquet"


def find_log(store: Store, dataset: str) -> Artefact:
    """Return the current log of a dataset. Raises NotFound if it has none."""
    prefix = current(store, interactions_folder(dataset))
    if prefix is None:
        raise NotFound(f"dataset {dataset!r} has no log to add to, expected one: leave --append out for the first")
    return read_artefact(store, prefix)


def replace_log(
    store: Store, dataset: str, interactions: Interactions, *, parameters: Mapping[str, object], counts: dict[str, int]
) -> Kept:
    """Make `interactions` the current log of a dataset, whatever there was."""
    folder = interactions_folder(dataset)
    before = current(store, folder)
    counts |= interactions.counts
    version = write_version(store, folder, FILE, interactions.save, parameters=parameters, counts=counts)
    point(store, folder, version)
    prefix = f"{folder}/{version}"
    if prefix == before:
        log.info("this log is already the current one")
    return Kept(prefix, prefix != before, counts)


def add_to_log(
    store: Store,
    dataset: str,
    new: Interactions,
    *,
    earlier: Artefact,
    parameters: Mapping[str, object],
    counts: dict[str, int],
) -> Kept:
    """Add `new` rows to `earlier`, the current log. Raises TaskError if another one has become current meanwhile."""
    appended = append_rows(Interactions.load(earlier.path(FILE)), new)
    counts |= appended.counts
    log.info("%d rows are new to the log, %d are in it already", appended.added, appended.repeated)
    if appended.contradicting:
        log.warning(
            "%d pairs of user and item are in the log with another time (%s); the earlier time is kept, which is that "
            "of the new row for %d of them",
            *(appended.contradicting, appended.examples, appended.earlier),
        )
    log.info("the log has %d interactions / %d users / %d items", *appended.interactions.counts.values())
    if not appended.changed:
        log.info("nothing new: the log stays as it is")
        return Kept(earlier.prefix, changed=False, counts=counts)
    folder = interactions_folder(dataset)
    save = appended.interactions.save
    version = write_version(store, folder, FILE, save, inputs=[earlier], parameters=parameters, counts=counts)
    move(store, folder, version, seen=earlier.prefix)
    return Kept(f"{folder}/{version}", changed=True, counts=counts)
