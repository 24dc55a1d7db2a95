"""The interface of a store: named objects of bytes with atomic writes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from tasks.errors import BadInput

CHUNK = 1 << 20
CONTROL = frozenset("\\\x7f") | frozenset(map(chr, range(32)))
LONGEST_KEY, LONGEST_PART = 1024, 255  # bytes: S3's limit of a key, and a file system's of a name


@dataclass(frozen=True)
class ObjectInfo:
    """Metadata of one object. `etag` changes with the content, but is not its hash.

    `modified` is when it was written, by the clock of its store.
    """

    key: str
    size: int
    etag: str
    modified: datetime


class Store(Protocol):
    """Objects by key. Every write is atomic: a reader sees the old or the new bytes, never a mixture."""

    url: str

    def put(self, key: str, data: bytes) -> None:
        """Write `data` under `key`."""

    def put_file(self, key: str, path: Path) -> None:
        """Write the file's content under `key`."""

    def replace(self, key: str, old: bytes, new: bytes) -> bool:
        """Write `new` under `key` if its bytes are still `old`; returns whether they were.

        Of several calls at once with the same `old`, one succeeds. Raises NotFound if `key` is absent.
        """
        ...

    def get(self, key: str, *, limit: int | None = None) -> bytes:
        """Return the bytes of `key`. Raises NotFound if it is absent, BadInput if it is larger than `limit` bytes."""
        ...

    def get_file(self, key: str, path: Path) -> None:
        """Write the bytes of `key` to `path`. Raises NotFound if it is absent."""

    def stat(self, key: str) -> ObjectInfo:
        """Return size and etag of `key`. Raises NotFound if it is absent."""
        ...

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """List all objects whose key starts with `prefix`, at any depth, sorted by key."""
        ...

    def copy(self, source: str, target: str) -> None:
        """Copy an object within the store. Raises NotFound if `source` is absent."""

    def move(self, source: str, target: str) -> None:
        """Give an object another key, in place of what is there. Raises NotFound if `source` is absent."""

    def delete(self, key: str) -> None:
        """Remove `key`; does nothing if it is absent."""

    def list_unfinished(self) -> Iterator[str]:
        """List the writes that have not come to their end: of writers that are at it, and of those that were killed."""
        ...

    def drop_unfinished(self, name: str) -> None:
        """Remove what such a write has left, by its name in `list_unfinished`; does nothing if it is absent."""


def require_key(key: str) -> str:
    """`key` if it is a plain relative path; BadInput for one that could lead elsewhere, or that no store can hold."""
    parts = key.split("/")
    if any(part in {"", ".", ".."} for part in parts) or not CONTROL.isdisjoint(key):
        raise BadInput(
            f"store key {key!r} found, expected a relative path without empty parts, '.' or '..', backslashes and "
            "control characters"
        )
    sizes = [len(part.encode("utf-8", "surrogateescape")) for part in (key, *parts)]
    if sizes[0] > LONGEST_KEY or max(sizes[1:]) > LONGEST_PART:
        raise BadInput(
            f"store key {key[:40]!r}... of {sizes[0]} bytes found, expected at most {LONGEST_KEY}, and {LONGEST_PART} "
            "between two slashes"
        )
    return key


def require_size(info: ObjectInfo, limit: int | None) -> None:
    """BadInput when the object is larger than `limit` bytes."""
    if limit is not None and info.size > limit:
        raise BadInput(f"{info.key} has {info.size} bytes, expected at most {limit}")


def format_size(size: int) -> str:
    """Return a number of bytes for people, such as `17 B` or `1.2 MiB`."""
    value, units = float(size), ["B", "KiB", "MiB", "GiB", "TiB"]
    while round(value, 1) >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{value:.0f} B" if units[0] == "B" else f"{value:.1f} {units[0]}"


def sha256_of(path: Path) -> str:
    """Return the hexadecimal sha256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
