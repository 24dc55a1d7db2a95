"""The deciding metric: it selects the epoch, the hyperparameters, the model and the release.

It is measured on validation; test metrics are only reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.data import Dataset
from tasks.metrics.metric import Metric
from tasks.metrics.ranking import evaluate

if TYPE_CHECKING:
    from tasks.training import Scorer

SELECTION = Metric("ndcg", 20)
DECIDES, TITLE = str(SELECTION), SELECTION.title


def selection_metric(scorer: Scorer, data: Dataset) -> float:
    """NDCG@20 on validation; never looks at test."""
    return evaluate(scorer.scores, data, "valid", cutoffs=(SELECTION.k,)).means()[DECIDES]
