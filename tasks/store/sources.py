"""Where a log comes from: a file of this machine, or an object in S3, which is copied for as long as it is read."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tasks.errors import BadInput, NotFound, TaskError
from tasks.store.base import format_size
from tasks.store.s3 import open_bucket

LARGEST = 16 << 30  # bytes of what is fetched
SCHEME = re.compile(r"(?P<kind>[A-Za-z][A-Za-z0-9+.-]*)://")
EXPECTED = "expected a file of this machine or s3://bucket/key"


@dataclass(frozen=True)
class Fetched:
    """A local file, and what messages call it: its name, or the address that it was fetched from."""

    path: Path
    name: str


@contextmanager
def fetch(place: str) -> Iterator[Fetched]:
    """Yield what is at `place`, a path or `s3://bucket/key`, as a local file; a copy is removed at the end."""
    scheme = SCHEME.match(place)
    if scheme is None:
        yield _find_file(Path(place))
        return
    if scheme["kind"] != "s3":  # the rest may have a password in it
        raise BadInput(f"an address {scheme['kind']}://... found, {EXPECTED}")
    with tempfile.TemporaryDirectory() as scratch:
        yield _fetch_object(place, Path(scratch))


def _find_file(path: Path) -> Fetched:
    if path.is_dir():
        raise BadInput(f"{path} is a folder, expected a file of interactions")
    return Fetched(path, path.name)


def _fetch_object(url: str, folder: Path) -> Fetched:
    """Fetch an object with the keys of the store, from the same server."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    if "@" in bucket:
        raise BadInput("s3://...@... found, expected s3://bucket/key: the keys stand in RECSYS_S3_*")
    if not key or key.endswith("/"):
        raise BadInput(f"{url} found, expected s3://bucket/key of one object")
    store = open_bucket(bucket, create=False)
    try:
        size = store.stat(key).size
    except NotFound as error:
        raise NotFound(f"{url} does not exist, expected an object of interactions") from error
    if size > LARGEST:
        raise BadInput(f"{url} has {format_size(size)}, expected at most {format_size(LARGEST)}")
    free = shutil.disk_usage(folder).free
    if size > free:
        raise TaskError(
            f"{url} has {format_size(size)} and {folder.parent} {format_size(free)} left, expected room for a copy "
            "(TMPDIR names another folder)"
        )
    store.get_file(key, folder / "log")
    return Fetched(folder / "log", url)
