"""The map from content and the regressions behind the calibration, against what they are by definition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from tasks.arrivals.chances import View
from tasks.arrivals.kernel import Kernel, cosines_between, directions
from tasks.arrivals.logistic import fit_logistic, log_odds
from tasks.arrivals.smoother import Smoother, choose_smoother
from tasks.errors import BadInput


def content(items: int = 40, seed: int = 0) -> dict[str, np.ndarray]:
    """Two modalities of different widths, as directions."""
    rng = np.random.default_rng(seed)
    rows = {"image": rng.normal(size=(items, 6)), "text": 5 + 3 * rng.normal(size=(items, 4))}
    return directions(rows, rows)[0]


def test_a_known_item_held_out_is_predicted_as_by_a_fit_without_it() -> None:
    """Column j of the closed form has the weights of the map that is fitted on all other items."""
    known, counts = content(), np.random.default_rng(1).integers(1, 50, 40).astype(float)
    smoother = Smoother({"image": 1.0, "text": 2.0}, sharpness=2.0, l2=0.5, exponent=0.5)
    held_out = smoother.held_out(cosines_between(known, known), counts)
    kernel, noise = smoother.kernel.between(known, known).astype(float), smoother.noise(counts)
    for item in (0, 17, 39):
        others = np.arange(40) != item
        expected = np.linalg.solve(kernel[np.ix_(others, others)] + np.diag(noise[others]), kernel[others, item])
        np.testing.assert_allclose(held_out[others, item], expected, rtol=2e-3, atol=2e-4)
        assert held_out[item, item] == 0


def test_an_item_with_the_content_of_a_known_one_gets_its_score() -> None:
    """Where there is hardly any noise the map interpolates."""
    known = content()
    same = {name: rows[:5] for name, rows in known.items()}
    weights = Smoother({"image": 1.0, "text": 1.0}, l2=1e-6).fit(known, same, np.ones(40))
    np.testing.assert_allclose(weights, np.eye(5, 40), atol=1e-3)


def test_a_modality_that_is_noise_loses_its_weight() -> None:
    """Taste depends on the text alone; the picture is random."""
    rng = np.random.default_rng(3)
    rows = {name: rng.normal(size=(200, 20)) for name in ("image", "text")}
    known = directions(rows, rows)[0]
    scores = rng.normal(size=(100, 20)).astype(np.float32) @ known["text"].T
    taken = sparse.csr_matrix((scores >= np.sort(scores, axis=1)[:, -10:-9]).astype(np.float32))
    chosen = choose_smoother(known, np.ones(200), scores, taken).kernel.weights
    assert chosen["text"] > 0.75


def test_a_kernel_is_one_plus_a_weighted_mean() -> None:
    """Two on the diagonal where all modalities are there, and less for each that is missing."""
    rows = {"image": np.array([[1.0, 0], [0, 0]], dtype=np.float32), "text": np.array([[1.0], [-1.0]], np.float32)}
    table = Kernel({"image": 0.25, "text": 0.75}, sharpness=1.0).between(rows, rows)
    assert table[0, 0] == pytest.approx(2.0)
    assert table[1, 1] == pytest.approx(1 + 0.25 * np.exp(-1) + 0.75)
    assert table[0, 1] == pytest.approx(1 + 0.25 * np.exp(-1) + 0.75 * np.exp(-2))


def test_directions_are_centred_over_the_known_items() -> None:
    """Length 1 whatever the scale of the encoder; a row of zeros and a constant modality stay zero."""
    known = {"a": np.array([[1000.0, 1], [1002, 1], [0, 0]]), "b": np.full((3, 2), 7.0)}
    new = {"a": np.array([[1005.0, 1]]), "b": np.array([[7.0, 7]])}
    ours, theirs = directions(known, new)
    np.testing.assert_allclose(ours["a"], [[-1, 0], [1, 0], [0, 0]])
    np.testing.assert_allclose(theirs["a"], [[1, 0]])
    assert not ours["b"].any()
    assert not theirs["b"].any()


def test_content_that_is_not_finite_is_refused() -> None:
    """The sentence names the modality."""
    rows = {"a": np.array([[1.0], [np.nan]])}
    with pytest.raises(BadInput, match="features of a that are not finite"):
        directions({"a": np.array([[1.0], [2.0]])}, rows)


def test_a_logistic_regression_finds_the_weights_it_was_drawn_with() -> None:
    """Of features with different scales, one of them constant."""
    rng = np.random.default_rng(0)
    features = np.stack([rng.normal(size=50_000), 100 + 20 * rng.normal(size=50_000), np.full(50_000, 3.0)], axis=1)
    odds = 0.8 * features[:, 0] - 0.05 * features[:, 1] + 3
    happened = (rng.random(50_000) < 1 / (1 + np.exp(-odds))).astype(float)
    weights = fit_logistic(features, happened)
    np.testing.assert_allclose(weights, [0.8, -0.05, 0, 3], atol=0.1)
    assert np.abs(log_odds(weights, features) - odds).mean() < 0.05


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_what_always_or_never_happens_has_finite_odds(value: float) -> None:
    """No weight runs away."""
    features = np.random.default_rng(0).normal(size=(50, 2))
    assert np.isfinite(log_odds(fit_logistic(features, np.full(50, value)), features)).all()


def test_a_view_knows_ranks_among_the_visible_items() -> None:
    """Hidden items are the history; a row that is all hidden or all equal has no spread to divide by."""
    inf = -np.inf
    view = View.of(np.array([[3, inf, 1, 2], [inf, inf, inf, inf], [5, 5, 5, 5]], dtype=np.float32))
    np.testing.assert_array_equal(
        view.ranks(np.array([[2.5, 9], [0, 0], [5, 4]], dtype=np.float32)), [[2, 1], [1, 1], [1, 5]]
    )
    np.testing.assert_allclose(np.expm1(view.history), [1, 4, 0])
    assert np.isfinite(view.features(np.ones((3, 2)), np.ones((3, 2)))).all()
