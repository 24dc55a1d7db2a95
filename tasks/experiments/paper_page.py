"""What a run of a paper came to, and its page: ours beside the printed figures, with spread, cost and reasons."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd
from pydantic import PositiveInt, ValidationError

from tasks.errors import BadInput, describe_invalid
from tasks.experiments.comparing import Compared
from tasks.experiments.papers import Finite, Paper, PrintedTable
from tasks.experiments.report import spell_difference, spell_spread
from tasks.metrics import DECIDES, Difference, Metric
from tasks.metrics.selection import TITLE
from tasks.runs.config import Strict

DIGITS = 6  # of stored figures


class Figure(Strict):
    """Mean and standard deviation over seeds of one metric of an arm; None for a single seed."""

    arm: str
    world: str
    part: str
    metric: str
    mean: Finite
    deviation: Finite | None
    seeds: PositiveInt


class Result(Strict):
    """What a run of a paper came to; `papers/results/NAME.json` has the one that the docs show."""

    paper: str
    dataset: dict[str, int]  # users, items, interactions
    code_version: str
    against: str
    figures: list[Figure]
    differences: dict[str, dict[str, float]]  # arm -> mean, low, high, p of NDCG@20 on test


def summarise(name: str, compared: Compared, dataset: dict[str, int], code_version: str) -> Result:
    """Means over seeds of all that was measured."""
    metrics = compared.comparison.metrics
    by_figure = metrics.groupby(["model", "world", "part", "figure"])["value"].agg(["mean", "std", "count"])
    figures = [
        Figure(
            arm=row["model"],
            world=row["world"],
            part=row["part"],
            metric=row["figure"],
            mean=round(row["mean"], DIGITS),
            deviation=None if pd.isna(row["std"]) else round(row["std"], DIGITS),
            seeds=row["count"],
        )
        for row in by_figure.reset_index().to_dict("records")
    ]
    differences = {
        arm: {key: round(getattr(by_metric[DECIDES], key), DIGITS) for key in ("mean", "low", "high", "p")}
        for arm, by_metric in compared.comparison.differences.items()
    }
    return Result(
        paper=name,
        dataset=dataset,
        code_version=code_version,
        against=compared.comparison.against,
        figures=figures,
        differences=differences,
    )


def read_result(path: Path) -> Result:
    """A stored result; BadInput if the file is none."""
    try:
        return Result.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise BadInput(
            f"{path.name} is no result of a paper: {describe_invalid(error, Result.model_fields)}"
        ) from error


def write_result(path: Path, result: Result) -> None:
    """Each figure on lines of its own, so that changes can be read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(result.model_dump_json(indent=1) + "\n", encoding="utf-8")


def write_page(name: str, paper: Paper, result: Result) -> str:
    """Markdown: ours beside theirs, with spread, cost, and the reason of each difference."""
    return "\n".join(_lines(name, paper, result)) + "\n"


def _lines(name: str, paper: Paper, result: Result) -> Iterator[str]:
    counts = ", ".join(f"{count:,} {what}" for what, count in result.dataset.items())
    seeds = max(figure.seeds for figure in result.figures)
    yield from (f"# {paper.title}", "", _one(paper.source), "", _one(paper.data), "")
    yield (
        f"{counts}; {seeds} seeds. Ours are means ± standard deviations over seeds, with CPU seconds and memory at the "
        f"peak of a training. To make them anew: `scan --config papers/{name}` and the steps that follow, or the DAG "
        "`papers`."
    )
    for table in paper.tables:
        yield from ("", f"## {table.title}", "")
        yield from _table(table, result)
    yield from ("", "## Why figures differ", "", paper.differences.strip())


def _table(table: PrintedTable, result: Result) -> Iterator[str]:
    found = {(one.arm, one.metric): one for one in result.figures if (one.world, one.part) == (table.world, table.part)}
    cost = {(one.arm, one.metric): one.mean for one in result.figures if (one.world, one.part) == (table.world, "fit")}
    _require_measured(table, found)
    titles = [Metric.parse(metric).title for metric in table.metrics]
    heads = ["", *titles, *([f"printed: {title}" for title in titles] if table.printed else [])]
    against = table.world == "plain" and table.part == "test"
    heads += [f"{TITLE} against {result.against}", "p"] if against else []
    yield f"| {' | '.join([*heads, 'CPU s', 'MiB'])} |"
    yield "|---" * (len(heads) + 2) + "|"
    for arm in table.arms:
        cells = [_spread(found.get((arm, metric))) for metric in table.metrics]
        if table.printed:
            cells += ["" if one is None else f"{one:.4f}" for one in table.printed.get(arm, [None] * len(titles))]
        if against:
            cells += _difference(result.differences.get(arm))
        cells += [_number(cost.get((arm, "cpu")), 1), _number(cost.get((arm, "peak_mib")), 0)]
        yield f"| {arm} | {' | '.join(cells)} |"
    if table.source:
        yield from ("", f"Printed: {_one(table.source)}.")
    if table.note:
        yield from ("", _one(table.note))


def _require_measured(table: PrintedTable, found: Mapping[tuple[str, str], Figure]) -> None:
    """BadInput for a metric that is none: an arm that was measured has all; one that failed has none."""
    for arm in table.arms:
        known = [metric for one, metric in found if one == arm]
        unknown = [metric for metric in table.metrics if known and metric not in known]
        if unknown:
            raise BadInput(
                f"table {table.title!r} has metrics {', '.join(unknown)}, expected some of {', '.join(sorted(known))}"
            )


def _spread(figure: Figure | None) -> str:
    if figure is None:
        return "not measured"
    return spell_spread(figure.mean, figure.deviation)


def _difference(one: dict[str, float] | None) -> list[str]:
    return ["", ""] if one is None else spell_difference(Difference(**one))


def _number(value: float | None, digits: int) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def _one(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
