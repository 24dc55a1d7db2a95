"""Validation results with the ids that failed, and each observed value over time beside its bounds."""

from __future__ import annotations

from fastapi import APIRouter, Response

from recsys.history import queries
from recsys.history.answers import Format, answer
from recsys.history.parameters import Dataset, Name, Points, Since, Until
from recsys.history.reader import Opened
from recsys.history.thinning import count_runs

router = APIRouter(tags=["validation"])


@router.get("/validation")
def validation(db: Opened, dataset: Dataset, run: Name | None = None, form: Format = "page") -> Response:
    """Every expectation of a run, what was not met first; by default of the last run that was checked."""
    if run is None:
        run = (db.row(queries.CHECKED_RUN, dataset=dataset) or {}).get("run")
    rows = db.rows(queries.RESULTS, run=run)
    return answer(rows, f"{dataset}-validation", form, run=run)


@router.get("/trend")
def trend(
    *,
    db: Opened,
    dataset: Dataset,
    suite: Name,
    expectation: Name,
    column: Name | None = None,
    since: Since = None,
    until: Until = None,
    points: Points = 200,
    form: Format = "page",
) -> Response:
    """What one expectation observed in each run, oldest first, and the bounds of then."""
    window = {"dataset": dataset, "since": since, "until": until, "points": points}
    rows = db.rows(queries.TREND, **window, suite=suite, expectation=expectation, column=column)
    thinning = count_runs(rows, points)
    return answer(rows, f"{dataset}-{expectation}", form, **thinning)
