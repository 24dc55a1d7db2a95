"""Variables of the environment that say where things are."""

from __future__ import annotations

import os

from tasks.errors import BadInput


def require_setting(name: str) -> str:
    """A variable of the environment that a store in S3 needs."""
    if value := os.environ.get(name):
        return value
    raise BadInput(f"{name} is not set, expected it for a store in S3")


def flag(name: str) -> bool:
    """Return a boolean environment variable; True if it is not set."""
    value = os.environ.get(name, "true").lower()
    if value not in {"true", "false"}:
        raise BadInput(f"{name} is {value!r}, expected true or false")
    return value == "true"
