"""Coverage, novelty and popularity of recommendations."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tasks.metrics import beyond_accuracy, evaluate
from tests.world import dataset, random_world


def test_hand_values() -> None:
    """Two users and four items: both get the same two unseen items in the same order."""
    train = np.array([[1, 1, 0, 0], [1, 0, 0, 0]], dtype=bool)
    test = np.array([[0, 0, 1, 0], [0, 0, 0, 1]], dtype=bool)
    data = dataset("hand", train, np.zeros((2, 4), dtype=bool), test)
    scores = np.array([[9, 9, 5, 4], [9, 1, 5, 4]], dtype=np.float32)
    metrics = beyond_accuracy(evaluate(lambda users: scores[users], data, "test", cutoffs=(1, 2)), data)
    assert metrics["coverage@1"] == 1 / 4
    assert metrics["coverage@2"] == 2 / 4
    assert metrics["popularity@2"] == 0.0
    assert metrics["novelty@2"] == pytest.approx(-math.log2(1 / 3))


def test_what_is_masked_is_never_recommended() -> None:
    """If k exceeds the number of a user's unseen items, only these are counted."""
    train = np.array([[1, 1, 0, 0], [1, 0, 0, 0]], dtype=bool)
    test = np.array([[0, 0, 1, 0], [0, 0, 0, 1]], dtype=bool)
    data = dataset("hand", train, np.zeros((2, 4), dtype=bool), test)
    scores = np.array([[9, 9, 5, 4], [9, 1, 5, 4]], dtype=np.float32)
    evaluation = evaluate(lambda users: scores[users], data, "test", cutoffs=(4,))
    assert evaluation.top.tolist() == [[2, 3, -1, -1], [2, 3, 1, -1]]
    metrics = beyond_accuracy(evaluation, data)
    assert metrics["coverage@4"] == 3 / 4
    assert metrics["popularity@4"] == 1 / 5
    assert metrics["novelty@4"] == pytest.approx(-(4 * math.log2(1 / 3) + math.log2(2 / 3)) / 5)


def test_popularity_recommends_the_known_and_little_of_the_catalogue() -> None:
    """Compared with random scores, popularity has less coverage, more popular and less novel items."""
    data = random_world(60, 40, density=0.2)
    counts = np.asarray(data.train.sum(axis=0)).ravel().astype(np.float32)
    chance = np.random.default_rng(0).random((60, 40)).astype(np.float32)
    known, random = (
        beyond_accuracy(evaluate(lambda users, s=s: s[users], data, "test", cutoffs=(5,)), data)
        for s in (np.tile(counts, (60, 1)), chance)
    )
    assert known["coverage@5"] < random["coverage@5"]
    assert known["popularity@5"] > random["popularity@5"]
    assert known["novelty@5"] < random["novelty@5"]


def test_what_was_seen_is_not_recommended() -> None:
    """Masked items are not in the top list."""
    data = random_world(30, 40, density=0.2)
    scores = data.train.toarray().astype(np.float32)
    evaluation = evaluate(lambda users: scores[users], data, "test", cutoffs=(5,))
    assert not data.train.toarray()[evaluation.users[:, None], evaluation.top].any()
