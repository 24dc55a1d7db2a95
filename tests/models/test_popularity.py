"""Popularity: counts, alike for everybody."""

from __future__ import annotations

import numpy as np

from tasks.models import build_model
from tasks.training import TrainingOptions
from tests.world import random_world


def test_it_counts_training_interactions() -> None:
    """Every user gets each item's number of training interactions."""
    data = random_world(9, 14)
    model = build_model("popularity", {}, data)
    records = model.fit(TrainingOptions())
    counts = data.train.toarray().sum(axis=0)
    np.testing.assert_array_equal(model.scores(np.array([0, 8])), np.stack([counts, counts]))
    assert len(records) == 1
    assert model.item_vectors() is None
