"""Ranking metrics; they know whatever gives scores, and no model."""

from __future__ import annotations

from tasks.metrics.beyond import beyond_accuracy
from tasks.metrics.ranking import CUTOFFS, Evaluation, evaluate, selection_metric
from tasks.metrics.topk import top_items

__all__ = ["CUTOFFS", "Evaluation", "beyond_accuracy", "evaluate", "selection_metric", "top_items"]
