"""Metrics of cold items."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.data import hold_out_items
from tasks.errors import TaskError
from tasks.metrics import evaluate, evaluate_cold
from tasks.models import build_model
from tasks.training import TrainingOptions
from tests.world import content_world, dataset, random_world


def test_a_known_item_stands_in_the_way_only_where_all_compete() -> None:
    """The held-out item is first among held-out items, and second when a known item also competes."""
    interactions = np.array([[1, 0, 1, 0, 1, 0], [0, 1, 0, 1, 1, 1]] * 3, dtype=bool)
    nothing = np.zeros_like(interactions)
    cold = hold_out_items(dataset("small", interactions, nothing, nothing), share=1 / 3, seed=0)
    known = np.setdiff1d(np.arange(6), cold.items)
    table = np.where(cold.data.test.toarray() > 0, 5.0, 1.0).astype(np.float32)
    table[:, known] = 9.0
    ranked = evaluate_cold(lambda users: table[users], cold, cutoffs=(1, 6))
    assert ranked["all items"].means()["recall@1"] == 0.0
    assert ranked["held-out items"].means()["mrr@1"] == 1.0
    assert ranked["all items"].means()["recall@6"] == ranked["held-out items"].means()["recall@6"] == 1.0


def test_among_themselves_is_a_catalogue_of_held_out_items_alone() -> None:
    """The metrics equal those of a dataset with only the held-out columns."""
    cold = hold_out_items(random_world(30, 40), share=0.3)
    scores = np.random.default_rng(0).normal(size=(30, 40)).astype(np.float32)
    alone = cold.data.test[:, cold.items].toarray() > 0
    train = np.zeros((30, 1), dtype=bool)
    train[0] = True  # a dataset needs training interactions: one more item, ranked last
    columns = np.concatenate([alone, np.zeros((30, 1), dtype=bool)], axis=1)
    data = dataset("alone", np.concatenate([np.zeros_like(alone), train], axis=1), np.zeros_like(columns), columns)
    table = np.concatenate([scores[:, cold.items], np.full((30, 1), -99, np.float32)], axis=1)
    expected = evaluate(lambda users: table[users], data, "test").means()
    assert evaluate_cold(lambda users: scores[users], cold)["held-out items"].means() == pytest.approx(expected)


def test_content_finds_what_nobody_took() -> None:
    """CEASE ranks a user's group among the first five of twelve held-out items; popularity is at chance, 5 / 12."""
    cold = hold_out_items(content_world(), seed=1)
    recall = {}
    for name in ("popularity", "cease"):
        model = build_model(name, {}, cold.data)
        model.fit(TrainingOptions(seed=0))
        recall[name] = evaluate_cold(model.scores, cold, cutoffs=(5,))["held-out items"].means()["recall@5"]
    assert recall["cease"] > 0.9
    assert recall["popularity"] < 0.6


def test_scores_that_are_not_of_the_catalogue_are_refused() -> None:
    """The scores of all items are checked first."""
    cold = hold_out_items(random_world(30, 40))
    with pytest.raises(TaskError, match="expected finite ones of shape"):
        evaluate_cold(lambda users: np.zeros((len(users), 3), dtype=np.float32), cold)
