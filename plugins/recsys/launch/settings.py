"""Settings and secrets in the environment of the scheduler and its workers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from airflow.sdk.log import mask_secret

from recsys.launch.outcome import FailedForGood

RUN_URL = "RECSYS_RUN_URL"  # environment variable with the URL of the run, which is recorded in the metrics history
SECRETS = ("_KEY", "_SECRET", "_PASSWORD", "_TOKEN")


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
        if name.startswith("RECSYS_") and value:
            if name.endswith(SECRETS):
                mask_secret(value)
            elif "://" in value and (password := urlsplit(value).password):
                mask_secret(password)
