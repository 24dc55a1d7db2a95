"""Pointers to the current version of content-addressed artefacts: a small file beside them, replaced atomically."""

from __future__ import annotations

import json

from tasks.errors import Corrupt, NotFound, TaskError
from tasks.store.base import Store

POINTER = "current.json"
LARGEST_POINTER = 4096


def current(store: Store, folder: str) -> str | None:
    """Return the prefix of the current version below `folder`, or None."""
    try:
        data = store.get(_key(folder), limit=LARGEST_POINTER)
    except NotFound:
        return None
    try:
        version = json.loads(data)["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupt(f"{_key(folder)} is not a pointer, expected {{'version': ...}}: load the data again") from error
    return f"{folder}/{version}"


def point(store: Store, folder: str, version: str) -> None:
    """Make `version` the current one, in one atomic write."""
    store.put(_key(folder), _bytes(version))


def move(store: Store, folder: str, version: str, *, seen: str) -> None:
    """Make `version` the current one if the prefix `seen` still is; raises TaskError if another one took its place."""
    if not store.replace(_key(folder), _bytes(seen.removeprefix(f"{folder}/")), _bytes(version)):
        raise TaskError(
            f"{folder} has another current version than {seen}, which this one was made from, expected no other "
            "change at the same time: repeat the command"
        )


def _key(folder: str) -> str:
    return f"{folder}/{POINTER}"


def _bytes(version: str) -> bytes:
    return json.dumps({"version": version}).encode()
