"""Reads what is published, in full."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from typing import Annotated

import typer

from tasks.errors import BadInput, Corrupt, NotFound, ValidationFailed
from tasks.progress import progress
from tasks.releases.listing import datasets_of, release_names
from tasks.store import (
    DSN,
    Store,
    format_size,
    has_artefact,
    open_history,
    open_store,
    read_artefact,
    release_prefix,
    without_database,
)

log = logging.getLogger(__name__)
MOST_NAMED = 5
Dataset = Annotated[str | None, typer.Option(help="Name of one dataset; default: all that have releases.")]


def verify(
    *,
    dataset: Dataset = None,
    release: Annotated[str | None, typer.Option(help="Name of one release, with --dataset; default: all.")] = None,
) -> dict[str, object]:
    """Read every file of every release and compare it with its manifest, what is served first; nothing is changed.

    Exit code 10 if a release is damaged or cannot be read, or if one that is served is gone; each is named. Which are
    served stands in the metrics database; where RECSYS_METRICS_DSN is not set or `none`, that is not looked at.
    """
    if release is not None and dataset is None:
        raise BadInput(f"--release {release} found without --dataset, expected both: names are those of a dataset")
    store, files, size, count = open_store(), 0, 0, 0
    damaged: list[str] = []
    for prefix in progress(list(find_releases(store, dataset, release)), label="releases", unit="release"):
        try:
            number, read = verify_one(store, prefix)
        except (Corrupt, NotFound) as error:
            log.error("%s", error)  # noqa: TRY400  our own sentence says all
            damaged.append(str(error))
            continue
        count, files, size = count + (number > 0), files + number, size + read
    said = f"{count} releases with {files} files, {format_size(size)}, are as their manifests say"
    if damaged:
        more = f" and {len(damaged) - MOST_NAMED} more" if len(damaged) > MOST_NAMED else ""
        raise ValidationFailed(
            f"{len(damaged)} of {count + len(damaged)} releases cannot be served, expected all; {said}: "
            f"{'; '.join(damaged[:MOST_NAMED])}{more}"
        )
    log.info("%s", said)
    return {"releases": count, "files": files, "bytes": size, "damaged": 0}


def find_releases(store: Store, dataset: str | None, release: str | None) -> Iterator[str]:
    """Yield the prefixes of what is to be read, those that are served first. Raises NotFound for an unknown one."""
    served = [prefix for name, prefix in find_served().items() if dataset in {None, name}]
    stored = [
        release_prefix(name, one)
        for name in ([dataset] if dataset else datasets_of(store))
        for one in release_names(store, name)
    ]
    wanted = list(dict.fromkeys([*served, *stored]))
    if release is not None:
        wanted = [prefix for prefix in wanted if prefix == release_prefix(str(dataset), release)]
    if dataset is not None and not wanted:
        raise NotFound(
            f"dataset {dataset!r} has {'no release ' + repr(release) if release else 'no release'} in {store.url}, "
            "expected one: `releases` lists them"
        )
    yield from wanted


def find_served() -> dict[str, str]:
    """Return dataset -> prefix of the release that is served; nothing without a database."""
    if not os.environ.get(DSN) or without_database():
        return {}
    with open_history() as history:
        return {name: release_prefix(name, release) for name, release in history.served().items()}


def verify_one(store: Store, prefix: str) -> tuple[int, int]:
    """Read one release; returns its files and bytes, none of both if it was removed while it was read."""
    try:
        artefact = read_artefact(store, prefix)
        artefact.verify(keep=False)
    except (Corrupt, NotFound):
        if has_artefact(store, prefix) or prefix in find_served().values():
            raise
        log.info("%s was removed meanwhile", prefix)
        return 0, 0
    entries = artefact.manifest.files.values()
    log.info("%s: %d files, %s", prefix, len(entries), format_size(sum(entry.size for entry in entries)))
    return len(entries), sum(entry.size for entry in entries)
