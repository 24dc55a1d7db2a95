"""What stands in the store, in units that are kept or removed as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from tasks.store import ObjectInfo, Store
from tasks.store.artefacts import STAGED
from tasks.store.layout import INTERACTIONS, ITEMS, MATRICES, QUARANTINE, RELEASES, RUNS, TRAINING, WEIGHTS
from tasks.store.manifest import MANIFEST

Kind = Literal["release", "run", "quarantine", "trials", "left over", "unfinished", "replaced"]
NAMES = {RELEASES: 3, RUNS: 2, QUARANTINE: 2}  # parts of a prefix: the kind, the dataset of a release, the name
WRITTEN = (INTERACTIONS, ITEMS, MATRICES, WEIGHTS, TRAINING)  # where artefacts are written, beside runs and releases
TRIALS = ("compare-trials", "checkpoint-")  # what only those need who go on with an unfinished run


@dataclass(frozen=True)
class Holding:
    """One unit: everything under `prefix`, or one object, or an unfinished write of that name.

    `name` is that of the release or run, and `touched` when something else of that run was last written.
    """

    kind: Kind
    prefix: str
    name: str
    objects: tuple[ObjectInfo, ...] = ()
    touched: datetime | None = None

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(info.size for info in self.objects)

    @property
    def complete(self) -> bool:
        """Whether it is an artefact that has been written to its end."""
        return any(info.key == f"{self.prefix}/{MANIFEST}" for info in self.objects)

    @property
    def modified(self) -> datetime | None:
        """When something of it, or of its run, was last written."""
        moments = [info.modified for info in self.objects] + ([self.touched] if self.touched else [])
        return max(moments, default=None)


def list_releases_of(store: Store, dataset: str) -> list[Holding]:
    """Return the releases of a dataset, also those that are not complete."""
    groups = group(store.list(f"{RELEASES}/{dataset}/"), NAMES[RELEASES])
    return [Holding("release", prefix, _last(prefix), objects) for prefix, objects in groups.items()]


def list_runs(store: Store) -> dict[str, list[Holding]]:
    """Return what stands there of each run: its steps, the files that it refused, its trials."""
    found: dict[str, list[Holding]] = {}
    for prefix, objects in group(store.list(f"{RUNS}/"), NAMES[RUNS]).items():
        run = _last(prefix)
        steps = group(objects, NAMES[RUNS] + 1)
        trials = [
            Holding("trials", step, run, these) for step, these in steps.items() if _last(step).startswith(TRIALS)
        ]
        found[run] = [Holding("run", prefix, run, objects), *trials]
    for prefix, objects in group(store.list(f"{QUARANTINE}/"), NAMES[QUARANTINE]).items():
        found.setdefault(_last(prefix), []).append(Holding("quarantine", prefix, _last(prefix), objects))
    return found


def list_left_over(store: Store) -> list[Holding]:
    """Return what commands left that were killed while they replaced an artefact, and writes without an end."""
    staged: dict[str, list[ObjectInfo]] = {}
    for folder in (*WRITTEN, RUNS, RELEASES):
        for info in store.list(f"{folder}/"):
            before, mark, after = info.key.partition(f"/{STAGED}")
            if mark:
                staged.setdefault(f"{before}{mark}{after.partition('/')[0]}", []).append(info)
    left = [Holding("left over", prefix, "", tuple(objects)) for prefix, objects in staged.items()]
    return left + [Holding("unfinished", name, "") for name in store.list_unfinished()]


def group(objects: Iterable[ObjectInfo], parts: int) -> dict[str, tuple[ObjectInfo, ...]]:
    """Return the objects by the first `parts` parts of their keys; those with no more parts are of none."""
    groups: dict[str, list[ObjectInfo]] = {}
    for info in objects:
        names = info.key.split("/")
        if len(names) > parts:
            groups.setdefault("/".join(names[:parts]), []).append(info)
    return {prefix: tuple(found) for prefix, found in groups.items()}


def remove(store: Store, holding: Holding) -> int:
    """Remove all of it that stands there now, manifests first, so that half of it is invisible; returns the bytes."""
    if holding.kind == "unfinished":
        store.drop_unfinished(holding.prefix)
        return 0
    if holding.kind == "replaced":
        store.delete(holding.prefix)
        return holding.size
    return sum(_delete(store, list(store.list(f"{holding.prefix}/"))))


def _delete(store: Store, objects: list[ObjectInfo]) -> Iterator[int]:
    for info in sorted(objects, key=lambda info: (_last(info.key) != MANIFEST, info.key)):
        store.delete(info.key)
        yield info.size


def _last(prefix: str) -> str:
    return prefix.rpartition("/")[2]
