"""How far directions of vectors differ, where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.quality.vectors import spread


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[1, 2], [1, 2], [1, 2]], 0.0),  # all the same
        ([[1, 2], [10, 20], [0.1, 0.2]], 0.0),  # length is no direction
        ([[1, 0], [-1, 0]], 1.0),  # balanced
        ([[1, 0], [0, 1]], 0.5),  # half of the pairs are a row with itself
        ([[3, 0, 0], [0, 2, 0], [0, 0, 1]], 2 / 3),
        ([[1, 0], [0, 1], [0, 0], [np.nan, 1], [np.inf, 1]], 0.5),  # what has no direction takes no part
        ([[1, 0], [0, 0]], 1.0),  # one alone has nothing to differ from
    ],
)
def test_spread_is_one_minus_the_squared_mean_of_directions(rows: list[list[float]], expected: float) -> None:
    """0 where all rows have one direction, 1 where they balance."""
    assert spread(np.array(rows, dtype=np.float32)) == pytest.approx(expected, abs=1e-6)


def test_collapsed_vectors_have_next_to_no_spread() -> None:
    """A large common vector with little noise, as an encoder gives that has collapsed."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(500, 16)).astype(np.float32)
    assert spread(noise) > 0.9
    assert spread(1000 + noise) < 1e-5
