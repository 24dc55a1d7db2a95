"""The asset that says "new media", and what DAGs agree on about it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from airflow.sdk import Asset, Param

NEW_MEDIA = Asset("new_media", group="recsys")
NAME = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"  # what the task package takes as a name; no option can hide in one


def setting(name: str, default: str) -> str:
    """Environment variable `name`, read when the DAG file is parsed; unset or empty means `default`."""
    return os.environ.get(name) or default


def dataset_param() -> Param:
    """The field `dataset` of a trigger form; its default is RECSYS_DATASET, else `demo`."""
    return Param(
        setting("RECSYS_DATASET", "demo"),
        type="string",
        pattern=NAME,
        title="Dataset",
        description="Folder under media/ in the store, and name of the releases.",
    )


def dataset_of(params: Mapping[str, Any], events: Mapping[Any, Any] | None) -> str:
    """The dataset of a run: what the media events that started it name, else the parameter.

    Raises ValueError when several datasets got new media before one run began: a run retrains one.
    """
    named = {event.extra["dataset"] for group in (events or {}).values() for event in group if event.extra.get("dataset")}
    if len(named) > 1:
        found = ", ".join(sorted(named))
        raise ValueError(f"new media of {len(named)} datasets ({found}) started one run, expected one: trigger each by hand")
    return str(next(iter(named), params["dataset"]))
