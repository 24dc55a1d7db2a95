"""Which model serves a dataset, since when and why, and what the last run changed."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter

from recsys.history import queries
from recsys.history.access import may_roll_back
from recsys.history.parameters import Dataset
from recsys.history.reader import Opened, Reader, Row

router = APIRouter(tags=["overview"])


@router.get("/me")
def me(user: GetUserDep) -> dict[str, Any]:
    """Who asks, and whether they may start a rollback."""
    return {"name": user.get_name(), "may_roll_back": may_roll_back(user)}


@router.get("/datasets")
def datasets(db: Opened) -> dict[str, list[Row]]:
    """Every dataset with the number of its runs and what is served."""
    return {"rows": db.rows(queries.DATASETS)}


@router.get("/overview")
def overview(db: Opened, dataset: Dataset) -> dict[str, Any]:
    """What is served, the last run, what it counted beside the run before, and what failed in it and before."""
    (last,) = db.rows(queries.RUNS, dataset=dataset, limit=1, offset=0) or (None,)
    found: dict[str, Any] = {"served": db.row(queries.SERVED, dataset=dataset), "last": last}
    found["alerts"] = db.rows(queries.OPEN_ALERTS, dataset=dataset)
    found["unmet"] = db.rows(queries.UNMET, dataset=dataset)
    if last is not None:
        failed = [row for row in db.rows(queries.RESULTS, run=last["run"]) if not row["success"]]
        found |= {"failed": failed, "counts": compare_counts(db, last["run"])}
    return found


def compare_counts(db: Reader, run: str) -> list[Row]:
    """Each count of a run beside that of the last run before it that came as far."""
    before = db.row(queries.RUN_BEFORE, run=run)
    earlier = {(row["step"], row["name"]): row["value"] for row in db.rows(queries.STEPS, **before)} if before else {}
    return [row | {"before": earlier.get((row["step"], row["name"]))} for row in db.rows(queries.STEPS, run=run)]
