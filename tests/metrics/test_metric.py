"""A metric's name and cutoff, as text and back."""

from __future__ import annotations

import pytest

from tasks.errors import BadInput
from tasks.metrics import Metric


@pytest.mark.parametrize(
    ("metric", "text", "title"),
    [
        (Metric("ndcg", 20), "ndcg@20", "NDCG@20"),
        (Metric("recall", 5), "recall@5", "Recall@5"),
        (Metric("seconds"), "seconds", "Seconds"),
    ],
)
def test_a_metric_is_written_and_read_in_one_way(metric: Metric, text: str, title: str) -> None:
    """What files have is read back; people see abbreviations in capitals."""
    assert (str(metric), metric.title) == (text, title)
    assert Metric.parse(text) == metric


@pytest.mark.parametrize("text", ["", "@20", "ndcg@", "ndcg@0", "ndcg@twenty", "ndcg@-1", "ndcg@5@10"])
def test_a_text_that_is_no_metric_is_an_error(text: str) -> None:
    """With what was found, and an example."""
    with pytest.raises(BadInput, match=rf"metric '{text}' found, expected .*: ndcg@20"):
        Metric.parse(text)
