"""Where a log or another table comes from: a file of this machine, an object in S3, or a query.

It is copied for as long as it is read.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tasks.errors import BadInput, NotFound, TaskError
from tasks.store.base import format_size
from tasks.store.database import SCHEMES, place_of
from tasks.store.query import save_answer
from tasks.store.s3 import open_bucket

log = logging.getLogger(__name__)
LARGEST = 16 << 30  # bytes of what is fetched
SCHEME = re.compile(r"(?P<kind>[A-Za-z][A-Za-z0-9+.-]*)://")
VARIABLE = "env:"
EXPECTED = "expected a file of this machine, s3://bucket/key, or postgresql:// with --query"


@dataclass(frozen=True)
class Fetched:
    """A local file, and what messages call it: its name, or the address that it was fetched from."""

    path: Path
    name: str


@contextmanager
def fetch(place: str, query: str | None = None) -> Iterator[Fetched]:
    """Yield what is at `place` as a local file; a copy is removed at the end.

    `place` is a path, `s3://bucket/key`, or, with `query`, the address of a database: `postgresql://...`, or `env:NAME`
    for a variable of the environment that holds it.
    """
    scheme = SCHEME.match(place)
    kind = "" if scheme is None else scheme["kind"]
    database = place.startswith((*SCHEMES, VARIABLE))
    if database != (query is not None):
        found, lacking = ("an address of a database", "--query")[:: 1 if database else -1]
        raise BadInput(
            f"{found} found without {lacking}, expected both: --query 'SELECT ...' with "
            "postgresql://user@host/database, or with env:NAME for the variable of the environment that holds this"
        )
    if kind and kind != "s3" and not database:  # the rest may have a password in it
        raise BadInput(f"an address {kind}://... found, {EXPECTED}")
    with tempfile.TemporaryDirectory() as scratch:
        if query is not None:
            path = Path(scratch) / "answer.parquet"
            yield Fetched(path, save_answer(_find_dsn(place), query, path))
        elif kind:
            yield _fetch_object(place, Path(scratch))
        else:
            yield _find_file(Path(place))


def _find_dsn(place: str) -> str:
    """Return the address of the database, from the environment for `env:NAME`."""
    if not place.startswith(VARIABLE):
        if (place_of(place) or {}).get("password"):
            log.warning("the password stands on the command line, where others can read it: env:NAME keeps it apart")
        return place
    name = place.removeprefix(VARIABLE)
    dsn = os.environ.get(name, "")
    if not dsn.startswith(SCHEMES):  # what it holds instead may be a secret
        raise BadInput(
            f"{place} found and {name} {'is not such an address' if dsn else 'is not set'}, expected it to be "
            "postgresql://user:password@host:port/database"
        )
    return dsn


def _find_file(path: Path) -> Fetched:
    if path.is_dir():
        raise BadInput(f"{path} is a folder, expected a file")
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
        raise NotFound(f"{url} does not exist, expected an object") from error
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
