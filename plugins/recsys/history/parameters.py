"""The parameters that several addresses have."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Query

Name = Annotated[str, Query(max_length=200)]
Dataset = Annotated[str, Query(max_length=64, description="name of a dataset, as in /api/datasets")]
Since = Annotated[datetime | None, Query(description="runs started at or after this moment")]
Until = Annotated[datetime | None, Query(description="runs started before this moment")]
Points = Annotated[int, Query(ge=2, le=1000, description="at most so many runs; of more every n-th is returned")]
Limit = Annotated[int, Query(ge=1, le=500)]
Offset = Annotated[int, Query(ge=0)]
