"""Settings and secrets in the environment of the scheduler and its workers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from airflow.sdk.log import mask_secret

from recsys.launch.outcome import FailedForGood

RUN_URL = "RECSYS_RUN_URL"  # environment variable with the URL of the run, which is recorded in the metrics history
SECRETS = ("_KEY", "_SECRET", "_PASSWORD", "_TOKEN")
# Commands that decode media, which strangers made. Whatever takes one over must not move the champion nor write a
# release: they get another key of the store, which writes only what they make (MEDIA_WRITES in tasks/store/layout.py),
# and no database.
MEDIA_COMMANDS = frozenset({"encode", "extract", "train-encoder"})


def require_setting(variable: str) -> str:
    """The value of an environment variable that the stack must set."""
    if value := os.environ.get(variable):
        return value
    raise FailedForGood(f"{variable} is not set, expected it in the environment of the scheduler and its workers")


def memory_limit(unit: str) -> str:
    """Limit of a task's memory, four gigabytes where none is set. `unit` is how the launcher writes a GiB: g, Gi."""
    return os.environ.get("RECSYS_TASK_MEMORY") or f"4{unit}"


def hide_secrets(environment: Mapping[str, str]) -> None:
    """Mask the secrets in `environment` in Airflow's logs, in case a command prints one."""
    for name, value in environment.items():
        if secret := find_secret(name, value):
            mask_secret(secret)


def find_secret(name: str, value: str) -> str | None:
    """The secret in a variable of ours, if it has one: a key, or the password in an address."""
    if not name.startswith("RECSYS_"):
        return None
    if name.endswith(SECRETS):
        return value or None
    return (urlsplit(value).password or None) if "://" in value else None
