"""What of a trial becomes rows of the metrics database."""

from __future__ import annotations

from tasks.experiments.recording import metric_values
from tasks.store import SegmentValue


def test_a_part_is_a_split_or_what_competes_on_test() -> None:
    """Name and cutoff are columns of their own."""
    metrics = {"valid": {"ndcg@20": 0.5}, "held-out items": {"recall@5": 0.25, "catalogue": 1.0}}
    assert metric_values(metrics) == [
        SegmentValue("valid", "ndcg", 20, 0.5, segment="all"),
        SegmentValue("test", "recall", 5, 0.25, segment="held-out items"),
        SegmentValue("test", "catalogue", 0, 1.0, segment="held-out items"),
    ]
