"""The one metric that decides: which epoch is kept, which hyper-parameters, which model, and what is published.

On validation; test is reported and never decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.data import Dataset
from tasks.metrics.ranking import evaluate

if TYPE_CHECKING:
    from tasks.training import Scorer

CUTOFF = 20
DECIDES = f"ndcg@{CUTOFF}"
TITLE = f"NDCG@{CUTOFF}"  # as people write it


def selection_metric(scorer: Scorer, data: Dataset) -> float:
    """NDCG@20 on validation; never looks at test."""
    return evaluate(scorer.scores, data, "valid", cutoffs=(CUTOFF,)).means()[DECIDES]
