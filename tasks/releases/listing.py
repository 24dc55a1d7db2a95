"""The releases of a dataset: what the store holds of them, and what the metrics database says about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tasks.errors import NotFound
from tasks.store import Published, Store, read_artefact, release_prefix
from tasks.store.layout import RELEASES, check_dataset_name
from tasks.store.manifest import MANIFEST


@dataclass(frozen=True)
class Listed:
    """One release; `metrics`: split -> metric -> value, `size` in bytes, None if it is gone from the store.

    `served`: whether it is the champion. `published`: whether its publication came to its end, so that a rollback can
    serve it. Both are None without a database.
    """

    release: str
    served: bool | None
    published: bool | None
    model: str
    run: str
    created_at: datetime
    size: int | None
    metrics: Mapping[str, Mapping[str, float]]


def release_names(store: Store, dataset: str) -> list[str]:
    """Return the names of the complete releases of a dataset in the store, sorted."""
    folder = f"{RELEASES}/{check_dataset_name(dataset)}/"
    below = [info.key.removeprefix(folder).split("/") for info in store.list(folder)]
    return [parts[0] for parts in below if parts[1:] == [MANIFEST]]


def datasets_of(store: Store) -> list[str]:
    """Return the names of the datasets that have something under releases/, sorted."""
    return sorted({info.key.split("/")[1] for info in store.list(f"{RELEASES}/")})


def list_releases(
    store: Store, dataset: str, published: Sequence[Published] | None, served: str | None
) -> list[Listed]:
    """Return the releases of a dataset, the newest first. Raises NotFound with the known datasets if there is none.

    `published` and `served` are what the database says; `published` is None without a database.
    """
    rows = {row.release: row for row in published or []}
    stored = release_names(store, dataset)
    known = published is not None
    listed = [
        _read(store, dataset, name, *((name == served, name in rows) if known else (None, None))) for name in stored
    ]
    listed += [
        Listed(name, name == served, True, row.model, row.run, row.created_at, None, {})
        for name, row in rows.items()
        if name not in stored
    ]
    if not listed:
        datasets = datasets_of(store)
        raise NotFound(
            f"dataset {dataset!r} has no release in {store.url}, expected "
            + (f"one of the datasets {', '.join(datasets)}" if datasets else "a run to have published one")
        )
    return sorted(listed, key=lambda one: one.created_at, reverse=True)


def _read(store: Store, dataset: str, name: str, served: bool | None, published: bool | None) -> Listed:
    release = read_artefact(store, release_prefix(dataset, name))
    manifest = release.manifest
    size = sum(entry.size for entry in manifest.files.values())
    model, run = (str(manifest.parameters.get(fact, "-")) for fact in ("model", "run"))
    metrics = release.json("metrics.json") if "metrics.json" in manifest.files else {}
    figures = {split: metrics[split] for split in ("valid", "test") if split in metrics}
    return Listed(name, served, published, model, run, manifest.created_at, size, figures)
