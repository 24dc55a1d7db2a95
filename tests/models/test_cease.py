"""CEASE against the few lines of its papers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tasks.errors import BadInput
from tasks.metrics import evaluate
from tasks.models import build_model
from tasks.models.solvers import closed_form
from tasks.models.solvers.standardise import standardise_features
from tasks.training import TrainingOptions
from tests.world import content_world, random_world

CONFIG = {"relative_l2": 2.0, "dropout": 0.3, "history_exponent": 0.7, "content": 0.4}


@pytest.mark.parametrize("block", [1, 5, 512])
def test_it_equals_the_closed_form(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Users weighed by their history, content as further rows, dropout as L2 on the diagonal; in any blocks."""
    monkeypatch.setattr(closed_form, "BLOCK", block)
    monkeypatch.setattr("tasks.models.cease.BLOCK", block)
    data = random_world(40, 23)
    model = build_model("cease", CONFIG, data)
    model.fit(TrainingOptions())
    x = data.train.toarray().astype(np.float64)
    lengths = np.maximum(x.sum(axis=1), 1)
    gram = x.T @ (x * (lengths**-0.7)[:, None])
    mean = np.diag(gram).mean()
    for name in data.features:
        content = standardise_features(data.features[name], name).astype(np.float64)
        gram += 0.4 * mean * content @ content.T
    inverse = np.linalg.inv(gram + np.diag(2.0 * mean + 0.3 / 0.7 * np.diag(gram)))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    np.testing.assert_allclose(model.scores(np.arange(40)), x @ weights, rtol=1e-3, atol=1e-5)


def test_each_modality_can_have_its_own_weight() -> None:
    """By its name, and none is forgotten or made up."""
    data = random_world(40, 23)
    found = []
    for content in (0.4, {"text": 0.4, "audio": 0.4}, {"text": 0.4, "audio": 0.0}):
        model = build_model("cease", {"content": content}, data)
        model.fit(TrainingOptions())
        found.append(model.scores(np.arange(40)))
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.allclose(found[0], found[2])
    for wrong in ({"text": 1.0}, {"text": 1.0, "audio": 1.0, "smell": 1.0}):
        with pytest.raises(BadInput, match=r"expected the modalities of random: \['audio', 'text'\]"):
            build_model("cease", {"content": wrong}, data)


def test_without_its_additions_it_is_ease() -> None:
    """To the last bits."""
    data = replace(random_world(40, 23), features={})
    plain = {"relative_l2": 3.0, "dropout": 0.0, "history_exponent": 0.0, "content": 0.0}
    found = build_model("cease", plain, data)
    ease = build_model("ease", {"relative_l2": 3.0}, data)
    for model in (found, ease):
        model.fit(TrainingOptions())
    np.testing.assert_allclose(found.scores(np.arange(40)), ease.scores(np.arange(40)), rtol=1e-4, atol=1e-6)


def test_content_helps_where_it_decides_and_permuted_it_does_not() -> None:
    """The same features in another order are worth much less."""
    found = []
    for world in (content_world(), content_world(permute=3)):
        model = build_model("cease", {}, world)
        model.fit(TrainingOptions())
        found.append(evaluate(model.scores, world, "test").means()["ndcg@20"])
    assert found[1] < 0.9 * found[0]


def test_it_refuses_more_memory_than_allowed() -> None:
    """Before it allocates."""
    model = build_model("cease", {}, random_world(5, 1000))
    with pytest.raises(BadInput, match=r"cease on 1000 items needs 0\.0 GiB, expected at most 0\.001 GiB"):
        model.fit(TrainingOptions(memory_gib=0.001))


@pytest.mark.parametrize("wrong", [{"dropout": 1.0}, {"content": -1}, {"history_exponent": 2}])
def test_an_impossible_number_is_an_error(wrong: dict[str, float]) -> None:
    """It is never clipped."""
    with pytest.raises(BadInput, match=next(iter(wrong))):
        build_model("cease", wrong, random_world(5, 6))
