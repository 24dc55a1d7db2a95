"""Ranking metrics of anything that returns scores; independent of models."""

from __future__ import annotations

from tasks.metrics.beyond import beyond_accuracy
from tasks.metrics.bootstrap import Difference, paired_bootstrap
from tasks.metrics.cold import evaluate_cold
from tasks.metrics.metric import Metric
from tasks.metrics.overlap import list_overlap
from tasks.metrics.ranking import CUTOFFS, EVAL_SPLITS, EvalSplit, Evaluation, UserValues, evaluate
from tasks.metrics.segments import Segment, by_segment
from tasks.metrics.selection import DECIDES, SELECTION, selection_metric
from tasks.metrics.topk import top_items
from tasks.metrics.users import user_table, user_values

__all__ = [
    "CUTOFFS",
    "DECIDES",
    "EVAL_SPLITS",
    "SELECTION",
    "Difference",
    "EvalSplit",
    "Evaluation",
    "Metric",
    "Segment",
    "UserValues",
    "beyond_accuracy",
    "by_segment",
    "evaluate",
    "evaluate_cold",
    "list_overlap",
    "paired_bootstrap",
    "selection_metric",
    "top_items",
    "user_table",
    "user_values",
]
