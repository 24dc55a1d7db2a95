"""The hybrid: a sum of two standardised scores, with a weight from validation."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.models import build_model
from tasks.models.hybrid import WEIGHTS
from tasks.models.parts.scores import standard
from tasks.training import Scorer, TrainingOptions
from tests.world import random_world


def test_its_scores_are_the_weighted_sum_of_those_of_its_parts() -> None:
    """Each part fitted by itself gives the same."""
    data, options = random_world(40, 23), TrainingOptions(seed=3)
    parts = {"cease": {"relative_l2": 2.0}, "ials": {"factors": 8}}
    hybrid = build_model("hybrid", {**parts, "weight": 0.7}, data)
    hybrid.fit(options)
    found = []
    for name, config in parts.items():
        model = build_model(name, config, data)
        model.fit(options)
        scores = model.scores(np.arange(40))
        found.append((scores - scores.mean(axis=1, keepdims=True)) / scores.std(axis=1, keepdims=True))
    np.testing.assert_allclose(hybrid.scores(np.arange(40)), found[0] + 0.7 * found[1], rtol=1e-3, atol=1e-4)


def test_the_weight_is_the_best_on_validation_and_is_kept() -> None:
    """Every one of the list is tried, once; the best goes into the state; what was given is not chosen again."""
    asked: list[float] = []
    data = random_world(40, 23)

    def validate(scorer: Scorer) -> float:
        asked.append(float(scorer._weight))  # type: ignore[attr-defined]
        return -abs(asked[-1] - 1.4)

    model = build_model("hybrid", {}, data)
    (record,) = model.fit(TrainingOptions(validate=validate))
    assert tuple(asked) == WEIGHTS
    assert model.state()["weight"].item() == 1.5
    assert record.valid == pytest.approx(-0.1)
    again = build_model("hybrid", {}, data).load_state(model.state())
    np.testing.assert_array_equal(again.scores(np.arange(40)), model.scores(np.arange(40)))
    given = build_model("hybrid", {"weight": 0.25}, data)
    given.fit(TrainingOptions(validate=validate))
    assert given.state()["weight"].item() == 0.25


def test_a_user_without_history_gets_zeros_from_cease_and_no_nan() -> None:
    """Rows of equal scores have no deviation to divide by."""
    np.testing.assert_array_equal(standard(np.array([[2.0, 2.0], [1.0, 3.0]], dtype=np.float32)), [[0, 0], [-1, 1]])
