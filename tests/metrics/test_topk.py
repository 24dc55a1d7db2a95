"""The best items, in a deterministic order."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tasks.metrics import top_items

SCORES = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9),
    elements=st.sampled_from([-np.inf, -2.5, -1.0, -0.0, 0.0, 1e-30, -1e-30, 1.0, 1.5, 3e38]),
)


@given(scores=SCORES, k=st.integers(1, 12))
def test_equal_scores_are_ranked_by_item_number(scores: np.ndarray, k: int) -> None:
    """For any scores: highest first, ties (-0 equals 0) by the lower number, at most as many as there are items."""
    before = scores.copy()
    top = top_items(scores, k)
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(top, expected)
    np.testing.assert_array_equal(scores, before)


def test_large_rows_agree_with_a_full_sort() -> None:
    """This also holds if few rows have ties, and for a tie across rank k."""
    scores = np.random.default_rng(0).normal(size=(50, 3000)).astype(np.float32)
    scores[7] = np.round(scores[7], 1)
    np.testing.assert_array_equal(top_items(scores, 50), np.argsort(-scores, axis=1, kind="stable")[:, :50])


@given(data=st.data(), rows=st.integers(1, 4), items=st.integers(1, 300), k=st.integers(1, 60))
def test_many_equal_scores_are_ranked_as_by_a_slow_sort(data: st.DataObject, rows: int, items: int, k: int) -> None:
    """Few distinct scores, masked items among them: a tie may lie anywhere, cross rank k and take the whole row."""
    kinds = data.draw(st.lists(st.sampled_from([-np.inf, -1.0, -0.0, 0.0, 0.5, 2.0]), min_size=1, max_size=4))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    scores = rng.choice(np.array(kinds, dtype=np.float32), (rows, items))
    slow = [sorted(range(items), key=lambda column: (-scores[row, column], column))[:k] for row in range(rows)]
    np.testing.assert_array_equal(top_items(scores, k), slow)
