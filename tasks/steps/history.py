"""Shows the metrics history as a table."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

import pandas as pd
import typer

from tasks.errors import BadInput
from tasks.metrics import DECIDES, SELECTION, Metric
from tasks.store import open_history

ORDER = ("recall", "ndcg", "precision", "map")  # at the cutoff that decides: shown unless asked otherwise


def history(
    *,
    dataset: Annotated[str | None, typer.Option(help="Only this dataset.")] = None,
    model: Annotated[str | None, typer.Option(help="Only this model.")] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            help="Metrics such as ndcg@10, separated by commas; a name alone is all its k. Default: four at 20."
        ),
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Only runs from this day or time on (UTC), such as 2026-11-21.")
    ] = None,
    split: Annotated[
        Literal["test", "valid"], typer.Option(help="test, which is reported, or valid, which decides.")
    ] = "test",
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of runs, the newest.")] = 10,
    form: Annotated[
        Literal["table", "csv", "json", "parquet"],
        typer.Option("--format", help="table, to read; or a file of every figure with its change, to standard output."),
    ] = "table",
) -> dict[str, object]:
    """Show the metrics of past runs per model, with the change since the previous run; the served model is marked.

    The change is against the run before of the same dataset, model and features.
    """
    moment = parse_moment(since)
    with open_history() as opened:
        opened.require_known(dataset=dataset, model=model)
        rows = opened.table(dataset=dataset, model=model, split=split, since=moment, runs=limit)
    rows["label"] = [str(Metric(name, k)) for name, k in zip(rows["metric"], rows["k"], strict=True)]
    metrics = choose_metrics(metric, rows)
    runs = rows["run"].drop_duplicates().tolist()
    chosen = rows[rows["label"].isin(metrics)]
    if form != "table":
        write_file(chosen.drop(columns="label"), form)
        return {}
    for line in format_table(chosen, metrics, split):
        typer.echo(line)
    return {"runs": len(runs)}


def write_file(rows: pd.DataFrame, form: str) -> None:
    """Write rows to standard output as CSV, as a list in JSON, or as Parquet."""
    if form == "csv":
        data = rows.to_csv(index=False).encode()
    elif form == "json":
        data = rows.to_json(orient="records", date_format="iso", double_precision=15).encode() + b"\n"
    else:
        data = rows.to_parquet(index=False)
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def parse_moment(since: str | None) -> datetime | None:
    """A point in time; without a zone it is UTC."""
    if since is None:
        return None
    try:
        moment = datetime.fromisoformat(since)
    except ValueError as error:
        raise BadInput(
            f"--since {since!r} found, expected a day as 2026-11-21 or a moment as 2026-11-21T02:00"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def choose_metrics(metric: str | None, rows: pd.DataFrame) -> list[str]:
    """The metrics that `metric` names, each a column; BadInput for one that no run has."""
    known = sorted(set(zip(rows["metric"], rows["k"], rows["label"], strict=True)), key=_sort_key)
    names = [one for *_, one in known]
    if metric is None:
        usual = [str(Metric(name, SELECTION.k)) for name in ORDER]
        return [one for one in usual if one in names] or names
    metrics: list[str] = []
    for word in metric.split(","):
        wanted = word.strip()
        these = [one for name, _, one in known if wanted in {name, one}]
        if known and not these:
            raise BadInput(f"--metric {wanted!r} found, expected some of {', '.join(names)}")
        metrics += [one for one in these if one not in metrics]
    return metrics


def format_table(rows: pd.DataFrame, metrics: Sequence[str], split: str) -> Iterator[str]:
    """Lines to show: runs from old to new, in each the models from good to bad."""
    if rows.empty:
        yield "No metrics match: no model has been evaluated yet, or the options exclude all."
        return
    wide = max(map(len, rows["model"])) + 2  # with the mark
    yield f"Metrics on {split}, with the change since the previous run; * is what is served."
    for run in rows["run"].unique():
        of_run = rows[rows["run"] == run]
        head = of_run.iloc[0]
        started = head["started_at"].astimezone(UTC)
        yield ""
        yield f"{started:%Y-%m-%d %H:%M} UTC  {run}  dataset {head['dataset']}, {head['status']}"
        yield " ".join([" " * (wide + 2), *(f"{one:<16}" for one in metrics)]).rstrip()
        for model, values in _rank_models(of_run, metrics):
            mark = "*" if values["is_champion"].any() else " "
            yield " ".join([f"  {mark} {model:<{wide - 2}}", *_format_cells(values, metrics)]).rstrip()


def _rank_models(rows: pd.DataFrame, metrics: Sequence[str]) -> list[tuple[str, pd.DataFrame]]:
    """The models of a run, the best first."""
    by = DECIDES if DECIDES in metrics else metrics[0]
    models = [(str(model), values.set_index("label")) for model, values in rows.groupby("model")]
    return sorted(models, key=lambda pair: -float(pair[1]["value"].get(by, float("-inf"))))


def _format_cells(values: pd.DataFrame, metrics: Sequence[str]) -> Iterator[str]:
    """Each metric with its change; a dash where a model lacks it."""
    for one in metrics:
        value, change = values["value"].get(one), values["change"].get(one)
        text = "-" if value is None else f"{value:.4f}"
        yield f"{text}{'' if change is None or pd.isna(change) else f' ({change:+z.4f})':<10}".ljust(16)


def _sort_key(known: tuple[str, int, str]) -> tuple[int, str, int]:
    name, k, _ = known
    return (ORDER.index(name) if name in ORDER else len(ORDER), name, k)
