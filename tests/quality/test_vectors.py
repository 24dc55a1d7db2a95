"""Known answers of what is told of vectors, and that the suite acts on it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tasks.data import Interactions
from tasks.quality import EmbeddingLimits, Report, check_embeddings
from tasks.quality.vectors import spread
from tests.quality.origins import ARTEFACTS, sound_sources

ITEMS = 12


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (np.tile([3.0, 4.0], (5, 1)), 0.0),
        (np.array([[1.0, 2.0], [10.0, 20.0], [0.5, 1.0]]), 0.0),  # lengths say nothing
        (np.eye(2), 1 / 2),
        (np.eye(4), 3 / 4),
        (np.eye(4) * np.array([[1.0], [2.0], [3.0], [4.0]]), 3 / 4),
        (np.array([[2.0, 0.0], [2.0, 0.0], [0.0, 5.0]]), 4 / 9),  # mean (2/3, 1/3)
        (np.array([[1.0, 0.0], [-7.0, 0.0]]), 1.0),
    ],
    ids=["identical", "one direction", "two orthogonal", "four orthogonal", "of any length", "uneven", "opposite"],
)
def test_spread_of_known_directions(rows: np.ndarray, expected: float) -> None:
    """It is one less the squared length of the mean direction, whatever the lengths of the rows."""
    assert spread(rows) == pytest.approx(expected, abs=1e-12)


def test_spread_of_collapsed_rows_is_tiny_and_not_nothing() -> None:
    """Two directions that differ by an angle of 0.002 have a spread of sin(0.001) squared."""
    angle = np.array([0.5, 0.502])
    rows = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    assert spread(rows) == pytest.approx(np.sin(0.001) ** 2, rel=1e-6)


def test_spread_counts_no_row_without_a_direction() -> None:
    """Rows of zeros or with NaN or infinity are left out, and fewer than two others count as 1."""
    bad = [[0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]]
    assert spread(np.array([*bad, [1.0, 0.0], [0.0, 1.0]])) == pytest.approx(1 / 2)
    assert spread(np.array([*bad, [1.0, 0.0], [3.0, 0.0]])) == pytest.approx(0.0, abs=1e-12)
    assert spread(np.array([*bad, [1.0, 0.0]])) == 1.0
    assert spread(np.empty((0, 2))) == 1.0


def report_on(array: np.ndarray) -> Report:
    """Of a night of one modality in which all else is as it should be."""
    ids = [f"film-{number:04d}" for number in range(ITEMS)]
    log = Interactions(
        users=np.zeros(ITEMS, dtype=np.int32),
        items=np.arange(ITEMS, dtype=np.int32),
        user_ids=np.array(["user-0"]),
        item_ids=np.array(ids),
        timestamps=None,
        labels=None,
    )
    keys = pd.DataFrame({"item_id": ids, "sha256": [f"medium of {one}" for one in ids]})
    items = pd.DataFrame({"item_id": ids, "idx": range(ITEMS)})
    arrays, frames = {"audio": array.astype(np.float32)}, {"audio": keys}
    return check_embeddings(
        arrays,
        frames,
        items,
        log,
        limits=EmbeddingLimits(),
        sources=sound_sources(arrays, frames),
        **ARTEFACTS,
    )


@pytest.mark.slow
def test_collapsed_vectors_fail_the_check_and_varied_ones_do_not() -> None:
    """Vectors that are all but one fail `vectors_vary`, which shows the spread, and are not apart."""
    varied = np.random.default_rng(3).normal(size=(ITEMS, 8))
    assert report_on(varied).success
    report = report_on(varied[0] + 1e-3 * varied)
    assert [check.expectation for check in report.failures] == ["vectors_vary", "vectors_are_apart"]
    assert 0 < float(report.failures[0].observed) < EmbeddingLimits().min_spread
