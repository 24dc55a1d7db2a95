"""Users that a model has never seen: equation 4 of Hu, Koren, Volinsky, and the lambda that is found for it."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from tasks.models import build_model
from tasks.models.serving import Factors
from tasks.models.solvers.fold_in import ALPHA, FoldIn, calibrate, gram_of
from tasks.training import TrainingOptions
from tests.world import histories, random_world

RNG = np.random.default_rng(5)
ITEMS = RNG.normal(size=(40, 6)).astype(np.float32)
INTERACTIONS = sparse.csr_matrix((RNG.random((25, 40)) < 0.2).astype(np.float32))
BIAS = RNG.normal(size=40).astype(np.float32)


def test_it_minimises_the_weighted_squares() -> None:
    """(Y'C Y + lambda I) x = Y'C p with a dense C, times the factor; the empty history is the origin."""
    interactions = sparse.csr_matrix(np.vstack([INTERACTIONS[[0]].toarray(), np.zeros((1, 40))]))
    found = FoldIn(alpha=7.0, l2=2.0, scale=3.0).vectors(ITEMS, gram_of(ITEMS), interactions)
    p = interactions[[0]].toarray()[0]
    weights = np.diag(1 + 6 * p)
    expected = np.linalg.solve(ITEMS.T @ weights @ ITEMS + 2 * np.eye(6), ITEMS.T @ weights @ p)
    np.testing.assert_allclose(found, [3 * expected, np.zeros(6)], rtol=1e-5)


def test_lambda_grows_with_the_history() -> None:
    """As the weights of all pairs, to the power; of an empty one it is what it is."""
    interactions = sparse.csr_matrix(np.vstack([INTERACTIONS[[0]].toarray(), np.ones((1, 40))]))
    found = FoldIn(alpha=7.0, l2=2.0, exponent=0.5).vectors(ITEMS, gram_of(ITEMS), interactions)
    for row, vector in enumerate(found):
        l2 = 2.0 * np.sqrt((40 + 6 * interactions[[row]].nnz) / 40)
        expected = FoldIn(alpha=7.0, l2=l2).vectors(ITEMS, gram_of(ITEMS), interactions[[row]])[0]
        np.testing.assert_allclose(vector, expected, rtol=1e-10)


def test_lambda_and_length_are_those_that_known_users_were_made_with() -> None:
    """Users who are folded in themselves, with one of the lambdas tried and a length of their own, are found again."""
    gram = gram_of(ITEMS)
    made = FoldIn(ALPHA, 5.0 * float(np.trace(gram)) / 6, scale=2.5)
    users = made.vectors(ITEMS, gram, INTERACTIONS).astype(np.float32)
    found = calibrate(users, ITEMS, BIAS, INTERACTIONS)
    assert found.l2 == made.l2
    np.testing.assert_allclose(found.scale, 2.5, rtol=1e-5)


def test_items_without_vectors_fold_in_to_the_bias() -> None:
    """There is no direction to take, and no division by nothing."""
    none = np.zeros_like(ITEMS)
    fold_in = calibrate(np.zeros((25, 6), dtype=np.float32), none, BIAS, INTERACTIONS)
    found = Factors(np.zeros((25, 6), dtype=np.float32), none, BIAS, fold_in).new(histories(INTERACTIONS))
    np.testing.assert_array_equal(found, np.tile(BIAS, (25, 1)))


def test_ials_solves_for_new_users_as_for_its_own() -> None:
    """Folded in by their own history, known users keep their scores, but for the last half turn of the solver."""
    data = random_world(60, 40)
    model = build_model("ials", {"factors": 8, "iterations": 60}, data)
    model.fit(TrainingOptions())
    found = model.serving().new(histories(data.train))
    np.testing.assert_allclose(found, model.scores(np.arange(60)), atol=0.02)
