"""EASE against the few lines of its paper."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.errors import BadInput, TaskError
from tasks.models import build_model
from tasks.models.solvers import closed_form
from tasks.training import TrainingOptions
from tests.world import random_world


@pytest.mark.parametrize("block", [1, 5, 512])
def test_it_equals_the_closed_form(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """scores = X B with B = -P / diag(P) and a zero diagonal, however many columns are worked on at once."""
    monkeypatch.setattr(closed_form, "BLOCK", block)
    data = random_world(40, 23)
    model = build_model("ease", {"relative_l2": 2.0}, data)
    model.fit(TrainingOptions())
    x = data.train.toarray().astype(np.float64)
    inverse = np.linalg.inv(x.T @ x + 2.0 * (x.sum() / 23) * np.eye(23))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    np.testing.assert_allclose(model.scores(np.arange(40)), x @ weights, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.item_vectors(), weights.T, rtol=1e-4, atol=1e-5)


def test_it_works_in_place() -> None:
    """The matrix given is the matrix returned: no second one of its size is made."""
    matrix = closed_form.gram(random_world(40, 23).train)
    assert np.shares_memory(closed_form.weights_in_place(matrix, 5.0), matrix)


def test_it_refuses_more_memory_than_allowed() -> None:
    """When no form fits; before it allocates, and it says how much it would need."""
    model = build_model("ease", {}, random_world(5, 1000))
    with pytest.raises(BadInput, match=r"ease on 1000 items needs 0\.0 GiB, expected at most 1e-07 GiB"):
        model.fit(TrainingOptions(memory_gib=1e-7))


def test_its_bound_is_the_matrix_and_little_more() -> None:
    """Four bytes a pair of items: 70,000 items need about 19 GiB."""
    assert 70_000**2 * 4 < closed_form.peak_bytes(70_000) < 1.04 * 70_000**2 * 4


def test_a_matrix_that_is_not_positive_definite_is_an_error() -> None:
    """LAPACK's return code is read."""
    with pytest.raises(TaskError, match="not positive definite at row 2"):
        closed_form.weights_in_place(np.array([[1.0, 5.0], [5.0, 1.0]], dtype=np.float32, order="F"), 0.5)
