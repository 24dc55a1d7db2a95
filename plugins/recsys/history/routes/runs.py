"""Runs, and how much of the data each step of one kept."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, HTTPException, Response

from recsys.history import queries
from recsys.history.answers import Format, answer
from recsys.history.parameters import Dataset, Limit, Name, Offset
from recsys.history.reader import Opened

router = APIRouter(tags=["runs"])


@router.get("/runs")
def runs(
    db: Opened,
    dataset: Dataset,
    limit: Limit = 50,
    offset: Offset = 0,
    form: Format = "page",
) -> Response:
    """Runs, the newest first, with what was decided."""
    rows = db.rows(queries.RUNS, dataset=dataset, limit=limit, offset=offset)
    counted = db.row(queries.COUNT_RUNS, dataset=dataset) or {}
    return answer(rows, f"{dataset}-runs", form, total=counted.get("runs", 0))


@router.get("/run")
def run(db: Opened, run: Name) -> dict[str, Any]:
    """One run: its counts step by step, its checks, models and decision. 404 if `scan` has not recorded it."""
    found = db.row(queries.RUN, run=run)
    if found is None:
        raise HTTPException(404, f"run {run!r} is not in the metrics database, expected one that `scan` has recorded")
    results = db.rows(queries.RESULTS, run=run)
    return {
        "run": found,
        "counts": db.rows(queries.STEPS, run=run),
        "metrics": db.rows(queries.RUN_METRICS, run=run),
        "checks": len(results),
        "unmet": [row for row in results if not row["success"]],
    }
