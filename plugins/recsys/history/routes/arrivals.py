"""What arrived with each run: new media, items that nobody has taken yet, files that were refused."""

from __future__ import annotations

from fastapi import APIRouter, Response

from recsys.history import queries
from recsys.history.answers import Format, answer
from recsys.history.parameters import Dataset, Points, Since, Until
from recsys.history.reader import Opened, Row
from recsys.history.thinning import count_runs

router = APIRouter(tags=["arrivals"])


@router.get("/arrivals")
def arrivals(
    *,
    db: Opened,
    dataset: Dataset,
    since: Since = None,
    until: Until = None,
    points: Points = 200,
    form: Format = "page",
) -> Response:
    """One row a run, oldest first: items in all, new media, arrivals in the dataset, files refused."""
    counted = db.rows(queries.ARRIVALS, dataset=dataset, since=since, until=until, points=points)
    thinning = count_runs(counted, points)
    return answer(list(_by_run(counted).values()), f"{dataset}-arrivals", form, **thinning)


def _by_run(counted: list[Row]) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    for one in counted:
        row = rows.setdefault(one["run"], _start(one))
        if one["step"].startswith("extract-") and one["name"] == "rejected":
            row["refused"] = (row["refused"] or 0) + one["value"]
        elif (one["step"], one["name"]) in NAMES:
            row[NAMES[one["step"], one["name"]]] = one["value"]
    return rows


NAMES = {
    ("scan", "names"): "items",
    ("scan", "new_media"): "new_media",
    ("prepare", "arrivals"): "arrivals",
    ("prepare", "other_users"): "new_users",
}


def _start(one: Row) -> Row:
    run = {name: one[name] for name in ("started_at", "run", "status")}
    return run | dict.fromkeys([*NAMES.values(), "refused"])
