"""Lists the releases of a dataset."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from tasks.metrics import DECIDES
from tasks.releases.listing import Listed, list_releases
from tasks.steps.options import Dataset
from tasks.store import DSN, format_size, open_history, open_store, without_database

SHOWN = (("valid", DECIDES), ("test", DECIDES), ("test", "recall@20"))


def releases(
    *,
    dataset: Dataset,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON instead of a table.")] = False,
) -> dict[str, object]:
    """List the releases of a dataset, the newest first, with their metrics, age and size; the served one is marked.

    Releases are read from the store. Which of them is served stands in the metrics database; where RECSYS_METRICS_DSN
    is not set or `none`, as with a key that only reads releases, that is not shown.
    """
    known = bool(os.environ.get(DSN)) and not without_database()
    published, served = None, None
    store = open_store()
    if known:
        with open_history() as history:
            published, champion = history.releases(dataset), history.champion(dataset)
        served = champion.release if champion else None
    listed = list_releases(store, dataset, published, served)
    if as_json:
        typer.echo(json.dumps({"dataset": dataset, "releases": [vars(one) for one in listed]}, default=str))
    else:
        for line in format_table(dataset, listed, datetime.now(UTC)):
            typer.echo(line)
    return {}


def format_table(dataset: str, listed: Sequence[Listed], now: datetime) -> Iterator[str]:
    """Lines to show."""
    titles = [f"{split} {name}" for split, name in SHOWN]
    rows = [["release", "model", *titles, "age", "size", "run"]]
    for one in listed:
        figures = [one.metrics.get(split, {}).get(name) for split, name in SHOWN]
        cells = ["-" if figure is None else f"{figure:.4f}" for figure in figures]
        size = "gone" if one.size is None else format_size(one.size)
        rows.append([one.release, one.model, *cells, format_age(now - one.created_at), size, one.run])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    yield f"Releases of {dataset}; * is what is served."
    yield f"    {lines[0]}"
    for one, line in zip(listed, lines[1:], strict=True):
        yield f"  {'*' if one.served else ' '} {line}{'  never served' if one.published is False else ''}"
    if any(one.served is None for one in listed):
        yield f"{DSN} names no database, so it is not known which of them is served."


def format_age(age: timedelta) -> str:
    """An age in its largest whole unit."""
    seconds = int(age.total_seconds())
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{max(seconds, 0)} s"
