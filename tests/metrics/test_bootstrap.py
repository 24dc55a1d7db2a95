"""The paired bootstrap: comparison with theory, and refused inputs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tasks.errors import BadInput
from tasks.metrics import UserValues, bootstrap, paired_bootstrap
from tasks.metrics.bootstrap import mean_intervals

RNG = np.random.default_rng(0)
BASE = RNG.random(400)
NOISE = RNG.normal(size=400)
NOISE = (NOISE - NOISE.mean()) / NOISE.std()  # mean 0, standard deviation 1


def values(*columns: np.ndarray) -> UserValues:
    """Return values of one metric with a column per cutoff."""
    table = np.stack(columns, axis=1)
    return UserValues(np.arange(len(table)), tuple(range(1, len(columns) + 1)), {"ndcg": table})


@pytest.mark.parametrize("effect", [0.0, 0.5, 1.0, 2.0, -2.0, 3.0])
def test_it_agrees_with_the_normal_approximation(effect: float) -> None:
    """For 400 users with a mean difference of `effect` standard errors, interval and p are those of a normal law."""
    error = 0.2 / math.sqrt(400)
    difference = paired_bootstrap(values(BASE + effect * error + 0.2 * NOISE), values(BASE), seed=3)["ndcg@1"]
    assert difference.mean == pytest.approx(effect * error)
    assert difference.low == pytest.approx(difference.mean - 1.96 * error, abs=0.1 * error)
    assert difference.high == pytest.approx(difference.mean + 1.96 * error, abs=0.1 * error)
    assert difference.p == pytest.approx(math.erfc(abs(effect) / math.sqrt(2)), abs=0.02)


def test_models_that_swap_places_swap_the_sign() -> None:
    """Mean and interval change sign, p stays."""
    one, other = values(BASE + 0.02 + 0.2 * NOISE), values(BASE)
    difference, swapped = (paired_bootstrap(*pair, resamples=500)["ndcg@1"] for pair in ((one, other), (other, one)))
    assert (swapped.mean, swapped.p) == (-difference.mean, difference.p)
    assert (swapped.low, swapped.high) == pytest.approx((-difference.high, -difference.low))


def test_a_model_is_no_better_than_itself() -> None:
    """Difference and interval are zero and p is one."""
    difference = paired_bootstrap(values(BASE), values(BASE), resamples=100)["ndcg@1"]
    assert (difference.mean, difference.low, difference.high, difference.p) == (0.0, 0.0, 0.0, 1.0)


def test_better_for_everybody_by_the_same_is_no_chance() -> None:
    """p is the minimum for that number of resamples, and the interval is the constant difference."""
    difference = paired_bootstrap(values(BASE + 0.1), values(BASE), resamples=999)["ndcg@1"]
    assert difference.p == 1 / 1000
    assert (difference.mean, difference.low, difference.high) == pytest.approx((0.1, 0.1, 0.1))


def test_the_seed_decides() -> None:
    """The same seed gives the same interval, another seed another one."""
    pair = values(BASE + 0.2 * NOISE), values(BASE)
    first, again, other = (paired_bootstrap(*pair, resamples=200, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_blocks_bound_the_memory_and_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resampling in blocks of one gives the same result as all at once."""
    pair = values(BASE + 0.2 * NOISE), values(BASE)
    whole = paired_bootstrap(*pair, resamples=50)["ndcg@1"]
    monkeypatch.setattr(bootstrap, "CELLS", 1)
    single = paired_bootstrap(*pair, resamples=50)["ndcg@1"]
    assert (single.low, single.high, single.p) == pytest.approx((whole.low, whole.high, whole.p))


def test_metrics_are_told_apart() -> None:
    """Each metric and cutoff has its own difference."""
    differences = paired_bootstrap(values(BASE + 0.1, BASE), values(BASE, BASE + 0.2), resamples=50)
    assert {name: one.mean for name, one in differences.items()} == pytest.approx({"ndcg@1": 0.1, "ndcg@2": -0.2})


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (UserValues(np.arange(400)[::-1], (1,), {"ndcg": BASE[:, None]}), "not the same in the same order"),
        (UserValues(np.arange(399), (1,), {"ndcg": BASE[1:, None]}), "values of 399 and 400 users found"),
        (UserValues(np.arange(400), (2,), {"ndcg": BASE[:, None]}), r"at \(2,\) and .* at \(1,\) found"),
        (UserValues(np.arange(400), (1,), {"map": BASE[:, None]}), r"\['map'\] at .* and \['ndcg'\] at"),
        (UserValues(np.arange(400), (1,), {"ndcg": np.full((400, 1), np.nan)}), "not finite"),
    ],
)
def test_values_that_make_no_pairs_are_refused(one: UserValues, said: str) -> None:
    """Different users, order, cutoffs or metrics, and values that are not finite, are refused."""
    with pytest.raises(BadInput, match=said):
        paired_bootstrap(one, values(BASE))


def test_one_user_is_too_few() -> None:
    """A single user cannot be resampled."""
    with pytest.raises(BadInput, match="1 user found, expected at least two"):
        paired_bootstrap(values(BASE[:1]), values(BASE[:1]))


def test_a_wider_tail_is_a_narrower_interval() -> None:
    """With .05 on each side, the bounds are those of 1.645 standard errors."""
    error = 0.2 / math.sqrt(400)
    difference = paired_bootstrap(values(BASE + 0.2 * NOISE), values(BASE), seed=3, tail=0.05)["ndcg@1"]
    assert difference.low == pytest.approx(-1.645 * error, abs=0.1 * error)
    assert difference.high == pytest.approx(1.645 * error, abs=0.1 * error)


def test_a_mean_has_the_interval_of_a_normal_law() -> None:
    """1.96 standard errors on both sides; a single user says nothing of it."""
    known = mean_intervals(values(0.5 + 0.2 * NOISE), resamples=4000)["ndcg@1"]
    error = 0.2 / math.sqrt(len(NOISE))
    assert (known.mean, known.low, known.high) == pytest.approx(
        (0.5, 0.5 - 1.96 * error, 0.5 + 1.96 * error), abs=0.1 * error
    )
    assert mean_intervals(values(np.array([0.3]))) == {}
