"""The hybrid: a sum of two standardised scores, with a weight from validation."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.errors import BadInput
from tasks.models import MODELS, build_model
from tasks.models.hybrid import WEIGHTS, Hybrid
from tasks.models.solvers.standardise import standardise_scores
from tasks.training import Scorer, TrainingOptions
from tests.world import random_world


def test_its_scores_are_the_weighted_sum_of_those_of_its_parts() -> None:
    """Each part fitted by itself gives the same."""
    data, options = random_world(40, 23), TrainingOptions(seed=3)
    parts = {"cease": {"relative_l2": 2.0}, "ials": {"factors": 8}}
    hybrid = build_model("hybrid", {"members": parts, "weights": [0.7]}, data)
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
        assert isinstance(scorer, Hybrid)
        asked.append(scorer.weights[1])
        return -abs(asked[-1] - 1.4)

    model = build_model("hybrid", {}, data)
    (record,) = model.fit(TrainingOptions(validate=validate))
    assert tuple(asked) == WEIGHTS
    assert model.state()["weights"].tolist() == [1, 1.5]
    assert record.valid == pytest.approx(-0.1)
    again = build_model("hybrid", {}, data).load_state(model.state())
    np.testing.assert_array_equal(again.scores(np.arange(40)), model.scores(np.arange(40)))
    given = build_model("hybrid", {"weights": [0.25]}, data)
    given.fit(TrainingOptions(validate=validate))
    assert given.state()["weights"].tolist() == [1, 0.25]


def test_of_three_members_weights_are_chosen_in_turn() -> None:
    """The second without the third, the third with it, and the second once more; a gradient model is one of them."""
    data, asked = random_world(40, 23), []
    members = {"cease": {}, "ials": {"factors": 4}, "bpr": {"max_epochs": 2, "embedding_size": 4}}

    def validate(scorer: Scorer) -> float:
        if not isinstance(scorer, Hybrid):
            return 0.0  # BPR looks for its own best epoch
        asked.append(tuple(scorer.weights))
        return -abs(scorer.weights[1] - 1.1 - 0.5 * scorer.weights[2]) - abs(scorer.weights[2] - 1.6)

    model = build_model("hybrid", {"members": members}, data)
    model.fit(TrainingOptions(validate=validate))
    count = len(WEIGHTS)
    assert asked[:count] == [(1, weight, 0) for weight in WEIGHTS]
    assert asked[count : 2 * count] == [(1, 1, weight) for weight in WEIGHTS]
    assert asked[2 * count :] == [(1, weight, 1.5) for weight in WEIGHTS]
    assert model.state()["weights"].tolist() == [1, 2, 1.5]
    again = build_model("hybrid", {"members": members}, data).load_state(model.state())
    np.testing.assert_array_equal(again.scores(np.arange(40)), model.scores(np.arange(40)))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"members": {"cease": {}}}, "members: .* at least 2"),
        ({"members": {"cease": {}, "hybrid": {}}}, "hybrid found as a member of hybrid"),
        ({"members": {"cease": {}, "eas": {}}}, f"model 'eas' found, expected one of {', '.join(MODELS)}"),
        ({"members": {"cease": {"l2": 1}, "ials": {}}}, "model cease: unknown hyperparameter l2"),
        ({"weights": [1, 2]}, "2 weights for 2 members, expected one less"),
    ],
)
def test_members_that_cannot_be_are_an_error(config: dict[str, object], said: str) -> None:
    """In one sentence."""
    with pytest.raises(BadInput, match=said):
        build_model("hybrid", config, random_world(4, 5))


def test_a_user_without_history_gets_zeros_from_cease_and_no_nan() -> None:
    """Rows of equal scores have no deviation to divide by."""
    np.testing.assert_array_equal(
        standardise_scores(np.array([[2.0, 2.0], [1.0, 3.0]], dtype=np.float32)), [[0, 0], [-1, 1]]
    )
