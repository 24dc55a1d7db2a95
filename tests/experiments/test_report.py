"""The report of a comparison: p values and what many of them are worth."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.experiments.report import correct_p
from tasks.metrics import Difference


def test_p_values_are_corrected_for_the_number_of_models() -> None:
    """Benjamini and Hochberg: the k-th smallest of n times n / k, and never above a larger one's."""
    given = {"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}
    found = correct_p({model: {"ndcg@20": Difference(0.1, 0.0, 0.2, p)} for model, p in given.items()})
    assert {model: by["ndcg@20"].p for model, by in found.items()} == pytest.approx(
        {"a": 0.02, "b": 0.04, "c": 0.04, "d": 0.02}
    )
    assert found["a"]["ndcg@20"].mean == 0.1


def test_of_models_that_do_not_differ_few_comparisons_find_one() -> None:
    """Uncorrected, nine in ten comparisons of 45 such models would."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(200):
        values = {str(model): {"ndcg@20": Difference(0, 0, 0, float(p))} for model, p in enumerate(rng.random(45))}
        found.append(min(by["ndcg@20"].p for by in correct_p(values).values()) < 0.05)
    assert np.mean(found) < 0.1


def test_without_models_there_is_nothing_to_correct() -> None:
    """A comparison of one model with itself."""
    assert correct_p({}) == {}
