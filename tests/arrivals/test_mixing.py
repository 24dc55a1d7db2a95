"""Lists of known items and arrivals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.arrivals.chances import Chances, View
from tasks.arrivals.exchange import LOSSES, Exchange
from tasks.arrivals.mixing import mix
from tasks.arrivals.policy import Policy
from tasks.errors import BadInput

INF = -np.inf
# a chance that falls with the rank and, of arrivals, with the rank that they would have
FALLING = Chances(np.array([-1.0, 0, 0, 0, 0, 0, -1]), np.array([-1.0, 0, 0, 0, 0, 0, -1]), (0.8, 0.1))


def drawn(users: int, known: int, arrivals: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Random scores, a third of the known ones hidden."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(users, known)).astype(np.float32)
    scores[rng.random(scores.shape) < 1 / 3] = INF
    return scores, rng.normal(size=(users, arrivals)).astype(np.float32)


def test_a_share_fills_the_last_places_of_every_list() -> None:
    """Half of four places: the two best known items, then the two best arrivals, numbered after the known ones."""
    known = np.array([[3, 1, 2, INF]], dtype=np.float32)
    arrivals = np.array([[0.5, 9, INF, 1]], dtype=np.float32)
    mixed = mix(known, arrivals, 4, Policy("share", 0.5))
    assert mixed.columns.tolist() == [[0, 2, 5, 7]]
    assert mixed.arrivals.tolist() == [[False, False, True, True]]


def test_off_is_a_list_of_known_items() -> None:
    """As if there were no arrivals; where nothing is left there is -1."""
    known = np.array([[3, 1, 2, INF]], dtype=np.float32)
    mixed = mix(known, np.full((1, 2), 99, np.float32), 4, Policy("off"))
    assert mixed.columns.tolist() == [[0, 2, 1, -1]]
    assert not mixed.arrivals.any()


def test_hidden_arrivals_get_no_place() -> None:
    """The known items keep the place of an arrival that there is not."""
    known = np.array([[3, 1, 2]], dtype=np.float32)
    mixed = mix(known, np.array([[INF, 7]], dtype=np.float32), 3, Policy("share", 1.0))
    assert mixed.columns.tolist() == [[0, 2, 4]]


@given(st.integers(1, 12), st.integers(0, 6), st.integers(1, 15), st.floats(0, 1), st.integers(0, 99))
def test_a_list_is_its_best_known_items_and_its_best_arrivals(
    known: int, arrivals: int, k: int, share: float, seed: int
) -> None:
    """No item twice, none hidden, known ones first, both in order, and no more arrivals than the share."""
    old, new = drawn(5, known, arrivals, seed)
    mixed = mix(old, new, k, Policy("share", share))
    both = np.concatenate([old, new], axis=1)
    for row, (columns, flags) in enumerate(zip(mixed.columns, mixed.arrivals, strict=True)):
        shown = columns[columns >= 0]
        assert len(set(shown)) == len(shown)
        assert np.isfinite(both[row, shown]).all()
        np.testing.assert_array_equal(flags, columns >= known)
        assert flags.sum() <= share * k + 1e-6
        for part in (shown[shown < known], shown[shown >= known]):
            assert (np.diff(both[row, part]) <= 0).all()
        assert len(shown) >= min(k, int(np.isfinite(old[row]).sum()))


def test_a_higher_accepted_loss_never_takes_a_place_away() -> None:
    """The places of a loss are among those of a higher one."""
    known, arrivals = drawn(200, 60, 12)
    exchange = Exchange.fit(FALLING, known, arrivals)
    places = [mix(known, arrivals, 20, Policy("calibrated", loss), exchange).arrivals.sum(axis=1) for loss in LOSSES]
    assert (np.diff(places, axis=0) >= 0).all()
    assert 0 < places[-4].sum() < places[-1].sum()


def test_the_accepted_loss_is_the_expected_one() -> None:
    """The chances of the known items that give way sum to the percentage."""
    known, arrivals = drawn(500, 60, 30)
    exchange = Exchange.fit(FALLING, known, arrivals)
    ranks = np.tile(np.arange(1, 21), (500, 1))
    view = View.of(known)
    ahead = np.clip(np.rint(np.expm1(view.history) / 8).astype(int), 1, 20)
    ideal = np.cumsum(1 / np.log2(np.arange(2, 22)))[ahead - 1]
    gains = np.exp(FALLING.of_known(view, ranks)) / np.log2(ranks + 1) / ideal[:, None]
    lost = mix(known, arrivals, 20, Policy("calibrated", 2.0), exchange).arrivals
    assert 100 * gains[lost].sum() / gains.sum() == pytest.approx(2.0, abs=0.05)


def test_the_best_arrivals_get_the_places() -> None:
    """Of two users with equal lists the one whose arrival scores higher gets it."""
    known = np.tile(np.linspace(1, 0, 40, dtype=np.float32), (2, 1))
    arrivals = np.array([[0.9], [0.1]], dtype=np.float32)
    exchange = Exchange(FALLING, np.full(len(LOSSES), 3.5))
    assert mix(known, arrivals, 20, Policy("calibrated", 1.0), exchange).arrivals.sum(axis=1).tolist() == [1, 0]


def test_chances_of_arrivals_allow_for_what_train_has_taken_away() -> None:
    """An item taken with chance p is in validation, when it is not in train, with .1 p / (1 - .8 p)."""
    known = np.linspace(1, 0, 40, dtype=np.float32)[None]
    view, scores = View.of(known), np.array([[0.5]], dtype=np.float32)
    odds = np.exp(-1.0 - np.log(view.ranks(scores)[0, 0]))
    later, p = odds / (1 + odds), np.exp(FALLING.of_arrivals(view, scores)[0, 0])
    assert 0.1 * p / (1 - 0.8 * p) == pytest.approx(later)


def test_a_place_that_no_known_item_wants_is_free() -> None:
    """A user who has nearly everything is shown the arrivals."""
    known = np.full((1, 30), INF, dtype=np.float32)
    known[0, 3] = 1.0
    exchange = Exchange(FALLING, np.full(len(LOSSES), 5.0))
    mixed = mix(known, np.array([[-5.0, -6.0]], dtype=np.float32), 4, Policy("calibrated", 1.0), exchange)
    assert mixed.columns.tolist() == [[3, 30, 31, -1]]


def test_a_list_longer_than_the_catalogue_goes_on_with_arrivals() -> None:
    """Two known items are all that there is: both are shown, and all arrivals after them."""
    exchange = Exchange(FALLING, np.full(len(LOSSES), 50.0))
    known, arrivals = np.array([[1, 2]], dtype=np.float32), np.array([[3, 4, 5]], dtype=np.float32)
    mixed = mix(known, arrivals, 8, Policy("calibrated", 1.0), exchange)
    assert mixed.columns.tolist() == [[1, 0, 4, 3, 2, -1, -1, -1]]


def test_calibrated_without_a_calibration_is_refused() -> None:
    """It says what to do."""
    with pytest.raises(BadInput, match="use the policy share"):
        mix(np.ones((1, 3), np.float32), np.ones((1, 2), np.float32), 2, Policy("calibrated", 1.0))


def test_no_arrival_needs_no_calibration() -> None:
    """The list is that of known items."""
    mixed = mix(np.ones((1, 3), np.float32), np.ones((1, 0), np.float32), 2, Policy("calibrated", 1.0))
    assert mixed.columns.tolist() == [[0, 1]]


@pytest.mark.parametrize(("kind", "number", "said"), [("some", 0, "one of off"), ("share", 1.5, "from 0 to 1")])
def test_a_policy_that_is_none_is_refused(kind: str, number: float, said: str) -> None:
    """The sentence names what there is."""
    with pytest.raises(BadInput, match=said):
        Policy(kind, number)  # type: ignore[arg-type]


@pytest.mark.parametrize("loss", [0.0, 50.0])
def test_a_loss_beyond_what_was_calibrated_is_refused(loss: float) -> None:
    """Nothing is clipped in silence."""
    known, arrivals = drawn(50, 40, 5)
    with pytest.raises(BadInput, match=r"from 0.05 % to 10 %"):
        mix(known, arrivals, 20, Policy("calibrated", loss), Exchange.fit(FALLING, known, arrivals))
