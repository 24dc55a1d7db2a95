"""A release is read in full before anything points to it."""

from __future__ import annotations

from tasks.errors import Corrupt, NotFound, TaskError
from tasks.releases.server import FILES, ReleaseServer
from tasks.runs.prepared import mapping_name
from tasks.store import Artefact, Store, has_artefact, read_artefact, release_prefix

NEEDED = (
    "recommendations.parquet",
    "similar_items.parquet",
    "metrics.json",
    mapping_name("user"),
    mapping_name("item"),
)


def verify_release(store: Store, dataset: str, name: str) -> Artefact:
    """Read every file of a release and open what answers from it; returns the release.

    Raises NotFound without a complete one, Corrupt if a file is gone or is not what the manifest says.
    """
    prefix = release_prefix(dataset, name)
    if not has_artefact(store, prefix):
        raise NotFound(f"{prefix} is not in {store.url} or not complete, expected a release to serve")
    release = read_artefact(store, prefix)
    missing = [file for file in NEEDED if file not in release.manifest.files]
    if missing:
        raise Corrupt(f"{prefix} has no {', '.join(missing)}, expected a whole release: publish its run again")
    release.verify()
    if all(file in release.manifest.files for file in FILES):  # else of a version that had no server
        try:
            ReleaseServer(release)
        except (TaskError, ValueError, KeyError) as error:
            raise Corrupt(f"{prefix} cannot answer: {error}: publish its run again") from error
    return release
