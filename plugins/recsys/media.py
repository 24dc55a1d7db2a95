"""The asset for what is new in a dataset: `ingest_media` emits its events, `retrain_nightly` is triggered by them.

It is named after media and also stands for the interaction log: an event's `extra` says in `changed` which of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowFailException

NEW_MEDIA = Asset("new_media", group="recsys")


def dataset_of(params: Mapping[str, Any], events: Mapping[Any, Any] | None) -> str:
    """Return the dataset of a run: that of the events that started it, else the parameter.

    Raises AirflowFailException if several datasets changed before the run started: a run retrains one.
    """
    extras = [event.extra for group in (events or {}).values() for event in group]
    named = {extra["dataset"] for extra in extras if extra.get("dataset")}
    if len(named) > 1:
        names = ", ".join(sorted(named))
        raise AirflowFailException(
            f"new media of {len(named)} datasets ({names}) started one run, expected one: trigger each by hand"
        )
    return str(next(iter(named), params["dataset"]))
