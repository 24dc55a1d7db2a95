"""Coverage, novelty, popularity and diversity of recommendations."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.metrics import Evaluation, beyond_accuracy, evaluate
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


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    """0 for a vector of zeros."""
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return 0.0 if lengths == 0 else float(one @ other) / lengths


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), items=st.integers(3, 12), width=st.integers(1, 4))
def test_diversity_is_one_minus_the_mean_cosine_of_two_items_of_a_list(seed: int, items: int, width: int) -> None:
    """Of each feature, centred, and the mean of these; places without an item do not count."""
    rng = np.random.default_rng(seed)
    features = {name: rng.normal(size=(items, width)).astype(np.float32) for name in ("image", "text")}
    data = replace(random_world(5, items, density=0.3), features=features)
    top = np.array([rng.permutation(items)[:4] if items >= 4 else rng.permutation(items) for _ in range(5)])
    top[0, 2:] = -1
    evaluation = Evaluation(np.arange(5), (1, 2, 4), {}, top)
    found = beyond_accuracy(evaluation, data)
    assert "diversity@1" not in found
    for k in (2, 4):
        expected = []
        for matrix in features.values():
            rows = matrix - matrix.mean(axis=0)
            for user in top[:, :k]:
                pairs = list(combinations([item for item in user if item >= 0], 2))
                expected.append(np.mean([1 - cosine(rows[one], rows[other]) for one, other in pairs]))
        assert found[f"diversity@{k}"] == pytest.approx(np.mean(expected), abs=1e-4)


def test_lists_of_one_kind_have_less_diversity_than_random_ones() -> None:
    """Two kinds of items that look alike within each."""
    kinds = np.repeat(np.eye(2, dtype=np.float32), 10, axis=0)
    data = replace(random_world(4, 20, density=0.2), features={"image": kinds})
    alike, mixed = np.tile(np.arange(5), (4, 1)), np.tile([0, 10, 1, 11, 2], (4, 1))
    values = [beyond_accuracy(Evaluation(np.arange(4), (5,), {}, top), data)["diversity@5"] for top in (alike, mixed)]
    assert values[0] == pytest.approx(0, abs=1e-6)
    assert values[1] > 1


def test_without_features_there_is_no_diversity() -> None:
    """It would be of nothing."""
    data = replace(random_world(5, 10, density=0.3), features={})
    scores = np.random.default_rng(0).random((5, 10)).astype(np.float32)
    assert "diversity@5" not in beyond_accuracy(evaluate(lambda users: scores[users], data, "test"), data)
