"""Pointers to the current version of content-addressed artefacts: a small file beside them, replaced atomically."""

from __future__ import annotations

import json

from tasks.errors import Corrupt, NotFound
from tasks.store.base import Store

LARGEST_POINTER = 4096


def current(store: Store, folder: str) -> str | None:
    """Return the prefix of the current version below `folder`, or None."""
    try:
        data = store.get(f"{folder}/current.json", limit=LARGEST_POINTER)
    except NotFound:
        return None
    try:
        version = json.loads(data)["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupt(
            f"{folder}/current.json is not a pointer, expected {{'version': ...}}: load the data again"
        ) from error
    return f"{folder}/{version}"


def point(store: Store, folder: str, version: str) -> None:
    """Make `version` the current one, in one atomic write."""
    store.put(f"{folder}/current.json", json.dumps({"version": version}).encode())
