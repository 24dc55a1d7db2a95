"""Metrics over time, with what happened to the served release meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from recsys.history import queries
from recsys.history.answers import Format, answer
from recsys.history.parameters import Dataset, Name, Points, Since, Until
from recsys.history.reader import Opened, Row
from recsys.history.thinning import count_runs

router = APIRouter(tags=["metrics"])
MOST = 2500  # figures of one answer: a tenth of a second


@router.get("/choices")
def choices(db: Opened, dataset: Dataset) -> dict[str, Any]:
    """Models, metrics with their k, splits and segments of the last ten trained runs."""
    rows = db.rows(queries.CHOICES, dataset=dataset)
    metrics = sorted({(row["metric"], row["k"]) for row in rows})
    return {
        "models": _distinct(rows, "model"),
        "metrics": [{"metric": metric, "k": k} for metric, k in metrics],
        "splits": _distinct(rows, "split"),
        "segments": sorted({row["segment"] for row in rows}, key=lambda name: (name != "all", name)),
    }


@router.get("/metrics")
def metrics(
    *,
    db: Opened,
    dataset: Dataset,
    metric: Name = "ndcg",
    k: Annotated[int, Query(ge=0, le=100000)] = 20,
    split: Name = "test",
    segment: Name = "all",
    model: Annotated[list[str] | None, Query(description="one or more; default: all")] = None,
    since: Since = None,
    until: Until = None,
    points: Points = 400,
    form: Format = "page",
) -> Response:
    """One metric of each model and run, oldest first, with its 95 % interval where that was recorded.

    At most 2,500 figures: of more models fewer runs, always the newest and evenly spread.
    """
    window = {"dataset": dataset, "since": since, "until": until}
    chosen = {"metric": metric, "k": k, "split": split, "segment": segment, "models": model or None}
    models = len(model) if model else (db.row(queries.TRAINED, dataset=dataset) or {}).get("models", 1)
    points = max(2, min(points, MOST // max(models, 1)))
    rows = db.rows(queries.METRICS, **window, **chosen, points=points)
    thinning = count_runs(rows, points)
    events = db.rows(queries.EVENTS, **window)
    return answer(rows, f"{dataset}-{metric}@{k}-{split}-{segment}", form, **thinning, events=events)


def _distinct(rows: Iterable[Row], column: str) -> list[str]:
    return sorted({row[column] for row in rows})
