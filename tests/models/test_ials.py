"""iALS: that the library was asked for what the paper says."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.errors import Diverged
from tasks.models import build_model
from tasks.training import TrainingOptions
from tests.world import checkerboard, random_world

CONFIG = {"factors": 4, "alpha": 7.0, "relative_l2": 0.2, "iterations": 300}


def test_its_vectors_solve_the_normal_equations_of_the_paper() -> None:
    """After many turns both sides do: (Y' C_u Y + lambda I) x_u = Y' C_u p_u, with c = alpha or 1."""
    data = random_world(30, 17)
    model = build_model("ials", CONFIG, data)
    model.fit(TrainingOptions())
    x = data.train.toarray().astype(np.float64)
    users, items = (model.state()[side].numpy().astype(np.float64) for side in ("users", "items"))
    l2 = 0.2 * 7.0 * x.sum() / 30
    for matrix, mine, theirs in ((x, users, items), (x.T, items, users)):
        for row, vector in zip(matrix, mine, strict=True):
            confidence = np.where(row > 0, 7.0, 1.0)
            left = (theirs.T * confidence) @ theirs + l2 * np.eye(4)
            np.testing.assert_allclose(left @ vector, (theirs.T * confidence) @ row, rtol=1e-2, atol=1e-2)


def test_threads_do_not_change_it() -> None:
    """Each row is solved by itself."""
    data = random_world(30, 17)
    found = []
    for threads in (1, 2):
        model = build_model("ials", CONFIG | {"iterations": 5}, data)
        model.fit(TrainingOptions(threads=threads))
        found.append(model.scores(np.arange(30)))
    np.testing.assert_array_equal(found[0], found[1])


def test_factors_that_are_no_numbers_are_an_error_of_ours() -> None:
    """So that a search goes on to other hyperparameters, and a comparison to other models."""
    with pytest.raises(Diverged, match=r"model ials: NaN encountered in factors, .*: raise its relative_l2"):
        build_model("ials", {"alpha": 1e30, "relative_l2": 1e-30}, checkerboard()).fit(TrainingOptions())
