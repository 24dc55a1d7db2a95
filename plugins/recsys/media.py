"""The asset for what is new in a dataset: `ingest_media` emits its events, `retrain_nightly` is triggered by them.

It is named after media and also stands for the interaction log: an event's `extra` says in `changed` which of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowFailException

from recsys.form import NAME

NEW_MEDIA = Asset("new_media", group="recsys")


def dataset_of(params: Mapping[str, Any], events: Mapping[Any, Any] | None) -> str:
    """Return the dataset of a run: that of the events that started it, else the parameter.

    Raises AirflowFailException if several datasets changed before the run started: a run retrains one. And for what is
    no name of a dataset: whoever may emit events through the API writes an event's extra, which no form has seen.
    """
    extras = [event.extra for group in (events or {}).values() for event in group]
    found = [extra["dataset"] for extra in extras if extra.get("dataset")]
    for value in found:
        if not isinstance(value, str) or not re.search(NAME, value):
            raise AirflowFailException(
                f"an event of the asset {NEW_MEDIA.name} has the dataset {str(value)[:60]!r} in its extra, expected at "
                "most 64 letters, digits and . _ -, starting with a letter or digit"
            )
    named = set(found)
    if len(named) > 1:
        names = ", ".join(sorted(named))
        raise AirflowFailException(
            f"new media of {len(named)} datasets ({names}) started one run, expected one: trigger each by hand"
        )
    return str(next(iter(named), params["dataset"]))
