"""What people give: interactions and ready-made matrices, kept by content, with a pointer to the current version."""

from __future__ import annotations

import json
import re

from tasks.errors import BadInput, Corrupt, NotFound
from tasks.store import Store

LARGEST_POINTER = 4096


def interactions_folder(dataset: str) -> str:
    """Where the versions of a dataset's log lie."""
    return f"interactions/{dataset}"


def matrix_folder(dataset: str, modality: str) -> str:
    """Where the versions of a dataset's ready-made matrix of one modality lie."""
    return f"matrices/{dataset}/{modality}"


def media_folder(dataset: str) -> str:
    """Where people drop media, ending in a slash."""
    return f"media/{dataset}/"


def current(store: Store, folder: str) -> str | None:
    """Prefix of the current version below `folder`, None when there is none."""
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


def checked_dataset(name: str) -> str:
    """`name` if it can be a dataset's."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):  # as plan.Name
        raise BadInput(
            f"dataset {name!r} found, expected at most 64 letters, digits and . _ -, not beginning with a sign"
        )
    return name
