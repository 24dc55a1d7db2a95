"""Tables of `compare` and `tune`: models with several seeds on the prepared dataset of one run."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from recsys.history import queries
from recsys.history.answers import Format, answer
from recsys.history.parameters import Dataset, Name
from recsys.history.reader import Opened

router = APIRouter(tags=["comparisons"])


@router.get("/comparisons")
def comparisons(db: Opened, dataset: Dataset) -> dict[str, Any]:
    """The last fifty comparisons of a dataset, the newest first."""
    return {"rows": db.rows(queries.COMPARISONS, dataset=dataset)}


@router.get("/comparison")
def comparison(db: Opened, run: Name, form: Format = "page") -> Response:
    """Mean and standard deviation over seeds of each model and metric of one comparison."""
    return answer(db.rows(queries.COMPARISON, run=run), f"comparison-{run}", form)
