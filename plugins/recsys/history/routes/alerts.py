"""What people were told, and whether it has reached them."""

from __future__ import annotations

from fastapi import APIRouter, Response

from recsys.history import queries
from recsys.history.answers import Format, answer
from recsys.history.parameters import Dataset, Limit, Offset
from recsys.history.reader import Opened

router = APIRouter(tags=["alerts"])


@router.get("/alerts")
def alerts(
    db: Opened,
    dataset: Dataset,
    limit: Limit = 50,
    offset: Offset = 0,
    form: Format = "page",
) -> Response:
    """Messages about a dataset and about Airflow itself, the newest first, with repeats and what became of them."""
    rows = db.rows(queries.ALERTS, dataset=dataset, limit=limit, offset=offset)
    return answer(rows, f"{dataset}-alerts", form)
