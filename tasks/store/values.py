"""Values of metrics as the metrics database keeps them: split, metric and cutoff apart, and finite."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from tasks.errors import BadInput

WHOLE = "all"  # the segment that is everything


@dataclass(frozen=True)
class MetricValue:
    """One metric of one model: recall at k = 20 on the test split, say; `low` to `high` is its 95 % interval."""

    split: str
    metric: str
    k: int
    value: float
    low: float | None = field(default=None, kw_only=True)
    high: float | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class SegmentValue(MetricValue):
    """The same of a segment: of some users or items, or of all."""

    segment: str = WHOLE


def require_finite(model: str, values: Iterable[MetricValue]) -> None:
    """BadInput for the first that is not, naming it."""
    for row in values:
        if not math.isfinite(row.value):
            what = f"{row.metric} at k = {row.k} of {model} on {row.split}"
            raise BadInput(f"{what} is {row.value}, expected a finite number")
