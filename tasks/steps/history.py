"""The metrics history as a table for people."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from tasks.errors import BadInput
from tasks.store import open_history

SHOWN = ["recall@20", "ndcg@20", "precision@20", "map@20"]


def history(
    *,
    dataset: Annotated[str | None, typer.Option(help="Only this dataset.")] = None,
    model: Annotated[str | None, typer.Option(help="Only this model.")] = None,
    metric: Annotated[str | None, typer.Option(help="Only this one: recall, ndcg, precision or map, or one figure as ndcg@10.")] = None,
    since: Annotated[str | None, typer.Option(help="Only runs from this day or moment on (UTC), as 2026-11-21.")] = None,
    split: Annotated[str, typer.Option(help="test, which is reported, or valid, which decides.")] = "test",
    limit: Annotated[int, typer.Option(min=1, help="At most this many runs, the newest.")] = 10,
) -> int:
    """Show the figures of past runs: a row per run and model, with the change since the run before and the champion marked."""
    if split not in {"test", "valid"}:
        raise BadInput(f"split {split!r} found, expected test or valid")
    name, _, k = (metric or "").partition("@")
    with open_history() as opened:
        rows = opened.table(dataset=dataset, model=model, metric=name or None, split=split, since=moment(since))
    rows["figure"] = rows["metric"] + "@" + rows["k"].astype(str)
    rows = rows[rows["figure"].isin([metric] if k else SHOWN if not name else rows["figure"].unique())]
    sys.stdout.write(text(rows, split, limit))
    return 0


def moment(since: str | None) -> datetime | None:
    """A point in time; without a zone it is UTC."""
    if since is None:
        return None
    try:
        found = datetime.fromisoformat(since)
    except ValueError as error:
        raise BadInput(f"--since {since!r} found, expected a date like 2026-11-21 or a moment like 2026-11-21T02:00") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def text(rows: pd.DataFrame, split: str, limit: int) -> str:
    """The table: newest run last, its best model (by NDCG) first. An empty one says so."""
    if rows.empty:
        return "No figures match: nothing has been evaluated yet, or the filters leave nothing.\n"
    runs = rows.drop_duplicates("run").sort_values("started_at")["run"].tolist()[-limit:]
    rows = rows[rows["run"].isin(runs)]
    figures = sorted(rows["figure"].unique(), key=lambda f: (f.split("@")[0] != "ndcg", f.split("@")[0], int(f.split("@")[1])))
    lines = [["run", "dataset", "model", *(cell for figure in figures for cell in (figure, "change")), ""]]
    for run in runs:
        of_run = rows[rows["run"] == run]
        first = of_run[of_run["figure"] == figures[0]].sort_values("value", ascending=False)["model"].tolist()
        for model in first:
            lines.append(_line(of_run[of_run["model"] == model], run, figures))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    left = 3  # columns of text before the numbers
    body = ["  ".join(c.ljust(w) if n < left else c.rjust(w) for n, (c, w) in enumerate(zip(line, widths, strict=True))).rstrip() for line in lines]
    return "\n".join([f"Figures on {split}; * is what is served.", "", *body, ""])


def _line(rows: pd.DataFrame, run: str, figures: list[str]) -> list[str]:
    values = rows.set_index("figure")
    cells: list[str] = []
    for figure in figures:
        value, change = values.loc[[figure], ["value", "change"]].astype(float).to_numpy()[0]
        cells += [f"{value:.4f}", "" if np.isnan(change) else f"{change:+.4f}"]
    head = rows.iloc[0]
    return [run, head["dataset"], head["model"], *cells, "*" if head["is_champion"] else ""]
