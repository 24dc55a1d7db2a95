"""What stands in the place of a feature that an item lacks."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.data.gaussian import WEIGHTS, Blocks, choose_weight
from tasks.data.missing import Missing, fill
from tasks.data.ridge import PENALTIES, predict_by_ridge
from tasks.errors import BadInput

POLICIES: list[Missing] = [policy for policy in get_args(Missing) if policy != "drop"]
WIDTHS = {"image": 5, "audio": 3, "text": 4}


def world(seed: int, items: int = 200, noise: float = 0.1) -> dict[str, np.ndarray]:
    """Features that two latent numbers of an item explain, up to noise; far from zero and of different sizes."""
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(items, 2))
    features = {}
    for size, (name, width) in enumerate(WIDTHS.items(), start=1):
        clean = latent @ rng.normal(size=(2, width)) + noise * rng.normal(size=(items, width))
        features[name] = (10**size * (clean + 3)).astype(np.float32)
    return features


def gaps(seed: int, items: int, share: float) -> dict[str, np.ndarray]:
    """Each feature lacks at random; every item keeps one."""
    rng = np.random.default_rng(seed)
    given_ = {name: rng.random(items) >= share for name in WIDTHS}
    given_["text"] |= ~(given_["image"] | given_["audio"])
    return given_


def error(policy: Missing, noise: float = 0.1) -> float:
    """Mean square error of what is filled, relative to that of the mean."""
    features, given_ = world(1, noise=noise), gaps(2, 200, 0.3)
    train = np.arange(200) < 150
    wrong, usual = 0.0, 0.0
    filled = fill(features, given_, train, policy)
    for name, rows in features.items():
        lacks = ~given_[name]
        mean = rows[given_[name] & train].mean(axis=0)
        wrong += float(((filled[name] - rows)[lacks] ** 2).sum()) / float(rows.var())
        usual += float(((mean - rows)[lacks] ** 2).sum()) / float(rows.var())
    return wrong / usual


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(POLICIES), st.floats(0, 0.6))
def test_what_is_given_stays_and_what_is_not_becomes_finite(seed: int, policy: Missing, share: float) -> None:
    """Byte for byte; nothing that stood in a gap is read."""
    features, given_ = world(seed, 40), gaps(seed, 40, share)
    train = np.arange(40) < 30
    spoiled = {name: np.where(given_[name][:, None], rows, np.float32(np.nan)) for name, rows in features.items()}
    filled = fill(spoiled, given_, train, policy)
    assert list(filled) == list(features)
    for name, rows in features.items():
        assert filled[name].dtype == np.float32
        np.testing.assert_array_equal(filled[name][given_[name]], rows[given_[name]])
        assert np.isfinite(filled[name]).all()


@pytest.mark.parametrize("policy", POLICIES)
def test_only_train_is_learned_from(policy: Missing) -> None:
    """Other items that are changed change nothing but themselves."""
    features, given_ = world(3, 60), gaps(4, 60, 0.3)
    train = np.arange(60) < 40
    others = {name: np.where(train[:, None], rows, rows + 1000).astype(np.float32) for name, rows in features.items()}
    for name, rows in fill(features, given_, train, policy).items():
        np.testing.assert_array_equal(rows[train], fill(others, given_, train, policy)[name][train])


def test_zero_and_mean_are_what_they_say() -> None:
    """The mean is that of the items of train that have the feature."""
    features, given_ = world(5, 60), gaps(6, 60, 0.3)
    train = np.arange(60) < 40
    for name, rows in features.items():
        lacks = ~given_[name]
        assert (fill(features, given_, train, "zero")[name][lacks] == 0).all()
        mean = rows[train & given_[name]].astype(np.float64).mean(axis=0)
        filled = fill(features, given_, train, "mean")[name][lacks]
        np.testing.assert_allclose(filled, np.tile(mean, (lacks.sum(), 1)), rtol=1e-6)


def test_a_prediction_is_better_than_the_mean_where_features_go_together() -> None:
    """Where two numbers explain all, most of the variance is known from the other features."""
    assert error("linear") < 0.1
    assert error("em") < 0.1


def test_a_prediction_is_hardly_worse_than_the_mean_where_they_do_not() -> None:
    """Features of noise alone: the penalty and the shrinkage are chosen so that little is predicted."""
    assert error("linear", noise=100) < 1.05
    assert error("em", noise=100) < 1.05


def test_em_shrinks_as_much_where_only_other_items_have_gaps() -> None:
    """Known items that lack nothing still show how far noise may be trusted: hardly worse than the mean."""
    features, train = world(1, noise=100), np.arange(200) < 150
    given_ = {name: has | train for name, has in gaps(2, 200, 0.3).items()}
    filled = fill(features, given_, train, "em")
    for name, rows in features.items():
        lacks = ~given_[name]
        usual = float(np.mean((rows[train].mean(axis=0) - rows[lacks]) ** 2))
        assert float(np.mean((filled[name] - rows)[lacks] ** 2)) < 1.05 * usual
    blocks = Blocks.of(features, given_, train)
    assert choose_weight(blocks.scaled(features, given_)[train], blocks.take(train)) > WEIGHTS[0]


def test_em_learns_from_items_that_lack_something() -> None:
    """Where no item has all three features, a regression has no rows to learn it from; EM has those of each pair."""
    features = world(7, 300)
    part = np.arange(300) % 3
    given_ = {name: part != number for number, name in enumerate(WIDTHS)}
    train = np.ones(300, dtype=bool)
    usual = sum(float(np.var(rows[~given_[name]], axis=0).sum() / rows.var()) for name, rows in features.items())
    filled = fill(features, given_, train, "em")
    wrong = sum(
        float(((filled[name] - rows)[~given_[name]] ** 2).mean(axis=0).sum() / rows.var())
        for name, rows in features.items()
    )
    assert wrong < 0.2 * usual


def test_an_item_with_no_feature_to_predict_from_gets_the_mean() -> None:
    """In no run, where such an item is in none; but nothing breaks."""
    features, given_ = world(8, 60), gaps(9, 60, 0.3)
    for name in WIDTHS:
        given_[name][:2] = False
    train = np.arange(60) > 10
    for policy in ("linear", "em"):
        for rows in fill(features, given_, train, policy).values():
            assert np.isfinite(rows).all()


def test_a_feature_that_nobody_in_train_has_is_refused() -> None:
    """There is nothing to learn it from."""
    features, given_ = world(10, 60), gaps(11, 60, 0.3)
    train = np.arange(60) < 40
    given_["audio"][:40] = False
    with pytest.raises(BadInput, match="no item that models are trained on has audio"):
        fill(features, given_, train, "mean")


def test_a_feature_that_never_varies_is_filled_with_what_it_is() -> None:
    """Its scale is zero."""
    features, given_ = world(12, 60), gaps(13, 60, 0.3)
    features["image"][:] = 2.0
    for policy in ("linear", "em"):
        filled = fill(features, given_, np.arange(60) < 40, policy)
        np.testing.assert_allclose(filled["image"], 2.0, atol=1e-5)


@pytest.mark.parametrize("items", [12, 90])
def test_a_ridge_is_the_one_of_the_normal_equations(items: int) -> None:
    """With more columns than rows and with fewer: the penalty is the one that a loop over left-out rows prefers."""
    rng = np.random.default_rng(items)
    inputs, asked = rng.normal(size=(items, 30)), rng.normal(size=(5, 30))
    targets = inputs[:, :3] @ rng.normal(size=(3, 4)) + rng.normal(size=(items, 4))
    scale = np.linalg.eigvalsh(inputs.T @ inputs).mean()

    def weights(rows: np.ndarray, penalty: float) -> np.ndarray:
        left = inputs[rows].T @ inputs[rows] + penalty * scale * np.eye(30)
        return np.asarray(np.linalg.solve(left, inputs[rows].T @ targets[rows]))

    def error(penalty: float) -> float:
        wrong = [
            targets[row] - inputs[row] @ weights(np.delete(np.arange(items), row), penalty) for row in range(items)
        ]
        return float(np.mean(np.square(wrong)))

    best = min(PENALTIES.tolist(), key=error)
    expected = asked @ weights(np.arange(items), best)
    np.testing.assert_allclose(predict_by_ridge(inputs, targets, asked), expected, rtol=1e-6, atol=1e-9)
