"""The store's interface: named objects of bytes, written whole."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tasks.errors import BadInput

CHUNK = 1 << 20


@dataclass(frozen=True)
class ObjectInfo:
    """What a listing says of one object. `etag` changes when the content does; it is not a hash of it."""

    key: str
    size: int
    etag: str


class Store(Protocol):
    """Objects by key. Every write is atomic: a reader sees the old bytes or the new, never a mixture."""

    url: str

    def put(self, key: str, data: bytes) -> None:
        """Write `data` under `key`."""

    def put_file(self, key: str, path: Path) -> None:
        """Write the file's content under `key`."""

    def get(self, key: str, *, limit: int | None = None) -> bytes:
        """Bytes of `key`. NotFound when absent, BadInput when larger than `limit` bytes."""
        ...

    def get_file(self, key: str, path: Path) -> None:
        """Write the bytes of `key` to `path`. NotFound when absent."""

    def stat(self, key: str) -> ObjectInfo:
        """Size and etag of `key`. NotFound when absent."""
        ...

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """All objects whose key begins with `prefix`, however deep, sorted by key."""
        ...

    def copy(self, source: str, target: str) -> None:
        """Copy an object within the store. NotFound when `source` is absent."""

    def delete(self, key: str) -> None:
        """Remove `key`; that it is absent already is fine."""


def checked_key(key: str) -> str:
    """`key` if it is a plain relative path; BadInput for one that could lead elsewhere."""
    parts = key.split("/")
    if not key or any(part in {"", ".", ".."} for part in parts) or "\\" in key or "\0" in key:
        raise BadInput(f"store key {key!r} found, expected a relative path without empty parts, '.' or '..'")
    return key


def checked_size(info: ObjectInfo, limit: int | None) -> None:
    """BadInput when the object is larger than `limit` bytes."""
    if limit is not None and info.size > limit:
        raise BadInput(f"{info.key} has {info.size} bytes, expected at most {limit}")


def sha256_of(path: Path) -> str:
    """Hexadecimal sha256 of a file, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
