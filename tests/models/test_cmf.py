"""CMF against the equations of its papers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tasks.data import Dataset, hold_out_items
from tasks.errors import BadInput, Diverged
from tasks.metrics import evaluate
from tasks.models import build_model
from tasks.models.base import Model
from tasks.models.solvers import least_squares
from tasks.models.solvers.standardise import standardise_features
from tasks.training import TrainingOptions
from tests.world import GROUPS, checkerboard, content_world, histories, random_world

CONFIG = {"factors": 4, "alpha": 7.0, "relative_l2": 0.2, "l2_exponent": 0.6, "iterations": 200}
CONTENT = {"text": 0.4, "audio": 0.9}


def world() -> Dataset:
    """Items 3 and 5 lack the text, 5 the sound too; 9 is cold."""
    data = random_world(30, 17)
    features = {name: rows.copy() for name, rows in data.features.items()}
    features["text"][[3, 5]], features["audio"][5] = 0, 0
    train = data.train.tolil()
    train[:, 9] = 0
    return replace(data, train=train.tocsr(), features=features)


def fitted(given: dict[str, object], data: Dataset, threads: int = 1) -> Model:
    """After training without a look at validation."""
    model = build_model("cmf", given, data)
    model.fit(TrainingOptions(threads=threads))
    return model


@pytest.mark.parametrize("content", [{"text": 0.0, "audio": 0.0}, {"text": 0.4, "audio": 0.0}, CONTENT])
@pytest.mark.parametrize("block", [7, 64])
def test_its_vectors_solve_the_equations_of_the_papers(
    content: dict[str, float], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of users, of items with what their content says, and of the weights that tell content from vectors."""
    monkeypatch.setattr(least_squares, "BLOCK", block)
    data = world()
    model = fitted(CONFIG | {"content": content}, data)
    x = data.train.toarray().astype(np.float64)
    users, items = (model.state()[side].numpy().astype(np.float64) for side in ("users", "items"))
    mean = 0.2 * 7.0 * x.sum() / 30

    def l2(rows: np.ndarray) -> np.ndarray:
        """Lambda of each row: the weights of its pairs to the power, and the mean is what the config says."""
        weights = np.where(rows > 0, 7.0, 1.0).sum(axis=1) ** 0.6
        return np.asarray(mean * weights / weights.mean())

    for row, vector, own in zip(x, users, l2(x), strict=True):
        confidence = np.where(row > 0, 7.0, 1.0)
        left = (items.T * confidence) @ items + own * np.eye(4)
        np.testing.assert_allclose(left @ vector, (items.T * confidence) @ row, rtol=1e-3, atol=1e-3)
    told = {}
    for name, weight in content.items():
        rows, have = standardise_features(data.features[name], name), data.features[name].any(axis=1)
        rows = np.sqrt(weight * 7.0 * x.sum() / 17) * rows
        told[name] = (rows, have, np.linalg.solve(items[have].T @ items[have] + mean * np.eye(4), items.T @ rows))
    for item, (row, vector, own) in enumerate(zip(x.T, items, l2(x.T), strict=True)):
        confidence = np.where(row > 0, 7.0, 1.0)
        left, right = (users.T * confidence) @ users + own * np.eye(4), (users.T * confidence) @ row
        for rows, have, weights in told.values():
            if have[item]:
                left, right = left + weights @ weights.T, right + weights @ rows[item]
        np.testing.assert_allclose(left @ vector, right, rtol=1e-2, atol=1e-2)


def test_threads_do_not_change_it() -> None:
    """Each row is solved by itself: to the bit."""
    data, brief = random_world(200, 90), CONFIG | {"iterations": 5}
    one, two = (fitted(brief, data, threads).scores(np.arange(200)) for threads in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_users_it_has_not_seen_are_solved_for_as_its_own() -> None:
    """Known users, served as new ones, have the scores that they have."""
    data = world()
    model = fitted(CONFIG | {"iterations": 2}, data)
    np.testing.assert_allclose(
        model.serving().new(histories(data.train)), model.scores(np.arange(30)), rtol=1e-4, atol=1e-5
    )


def test_content_helps_where_it_decides_and_permuted_it_does_not() -> None:
    """The same features in another order are worth much less."""
    worlds = (content_world(), content_world(permute=3))
    models = [fitted({"factors": 16}, data) for data in worlds]
    found = [evaluate(m.scores, data, "test").means()["ndcg@20"] for m, data in zip(models, worlds, strict=True)]
    assert found[1] < 0.9 * found[0]


def test_what_nobody_took_is_where_its_content_puts_it() -> None:
    """Of items held out of training, those of the group that a user likes come first, and with permuted content not."""
    found = []
    for data in (content_world(items=240), content_world(items=240, permute=3)):
        cold = hold_out_items(data, share=0.2, seed=0)
        scores = fitted({"factors": 16}, cold.data).scores(np.arange(80))[:, cold.items]
        best = cold.items[np.argsort(-scores, axis=1)[:, :5]]
        found.append((best % GROUPS == np.arange(80)[:, None] % GROUPS).mean())
    assert found[0] > 0.9
    assert found[1] < 0.5


def test_without_content_it_needs_no_features() -> None:
    """And listens to none that are there: content of weight 0 has no say."""
    data = random_world(30, 17)
    silent, without, listening = (
        fitted({"content": weight, "factors": 4}, world).scores(np.arange(30))
        for weight, world in ((0.0, data), (0.3, replace(data, features={})), (0.3, data))
    )
    np.testing.assert_array_equal(silent, without)
    assert not np.allclose(silent, listening)


@pytest.mark.parametrize("wrong", [{"text": 1.0}, {"text": 1.0, "audio": 1.0, "smell": 1.0}])
def test_a_weight_is_asked_for_each_modality(wrong: dict[str, float]) -> None:
    """None is forgotten or made up."""
    with pytest.raises(BadInput, match=r"content of cmf names .*, expected the modalities of random: \['audio', 't"):
        build_model("cmf", {"content": wrong}, random_world(30, 17))


def test_vectors_that_are_no_numbers_are_an_error_of_ours() -> None:
    """So that a search goes on to other hyperparameters, and a comparison to other models."""
    with pytest.raises(Diverged, match=r"raise (its )?relative_l2"):
        fitted({"alpha": 1e30, "relative_l2": 1e-30}, checkerboard())
