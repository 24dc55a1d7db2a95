"""Metrics by segment: hand-computed values, and the segments add up to the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.data import Dataset
from tasks.metrics import Segment, by_segment, evaluate
from tasks.metrics.segments import head_items, terciles
from tests.world import dataset, random_world

NAMES = ["short", "medium", "long", "head", "tail", "warm", "cold"]


def segments(data: Dataset, scores: np.ndarray, cutoffs: tuple[int, ...] = (1, 2)) -> dict[str, Segment]:
    every = by_segment(evaluate(lambda users: scores[users], data, "test", cutoffs=cutoffs), data, "test")
    assert [one.segment for one in every] == NAMES
    return {one.segment: one for one in every}


def hand() -> Dataset:
    """Histories of one, two and three; items 0 and 1 have five of six interactions, items 3 and 4 none."""
    train = np.array([[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0]], dtype=bool)
    test = np.array([[0, 1, 0, 0, 1], [0, 0, 1, 0, 0], [0, 0, 0, 0, 1]], dtype=bool)
    return dataset("hand", train, np.zeros_like(train), test)


def test_hand_values() -> None:
    """All users get the items by number, without those in training."""
    scores = np.tile(np.array([5, 4, 3, 2, 1], dtype=np.float32), (3, 1))
    parts = segments(hand(), scores)
    assert [parts[name].users for name in NAMES] == [1, 1, 1, 1, 3, 2, 2]
    assert [parts[name].items for name in NAMES] == [5, 5, 5, 2, 3, 3, 2]
    assert [parts[name].positives for name in NAMES] == [2, 1, 1, 1, 3, 2, 2]
    recall = [[parts[name].metrics[f"recall@{k}"] for name in NAMES] for k in (1, 2)]
    assert recall[0] == pytest.approx([0.5, 1, 0, 1, 1 / 3, 1, 0])
    assert recall[1] == pytest.approx([0.5, 1, 1, 1, 2 / 3, 1, 0.5])
    assert set(parts["long"].metrics) > {"ndcg@1", "map@2"}


@settings(max_examples=40)
@given(seed=st.integers(0, 500))
def test_parts_make_up_the_whole(seed: int) -> None:
    """Each user, item and positive is in one segment of each kind; recall of user segments averages to the total."""
    data = random_world(12, 15, density=0.4, seed=seed)
    if not data.test.nnz:
        return
    scores = np.random.default_rng(seed).normal(size=data.shape).astype(np.float32)
    every = segments(data, scores)
    whole = evaluate(lambda users: scores[users], data, "test", cutoffs=(1, 2))
    assert sum(every[name].users for name in NAMES[:3]) == len(whole.users)
    total = sum(every[name].users * every[name].metrics["recall@2"] for name in NAMES[:3] if every[name].users)
    assert total / len(whole.users) == pytest.approx(whole.means()["recall@2"])
    for parts in (NAMES[:3], NAMES[3:5], NAMES[5:]):
        assert sum(every[name].positives for name in parts) == data.test.nnz
    for parts in (NAMES[3:5], NAMES[5:]):
        assert sum(every[name].items for name in parts) == 15


@settings(max_examples=40)
@given(seed=st.integers(0, 500), k=st.integers(1, 20))
def test_recall_of_items_is_that_of_their_positives_alone(seed: int, k: int) -> None:
    """A slow reference computes one user at a time."""
    data = random_world(10, 12, density=0.4, seed=seed)
    if not data.test.nnz:
        return
    scores = np.random.default_rng(seed).normal(size=data.shape).astype(np.float32)
    head = head_items(np.asarray(data.train.sum(axis=0)).ravel())
    values = []
    for user in range(10):
        order = [item for item in np.argsort(-scores[user]) if not data.train[user, item]][:k]
        wanted = [item for item in data.test[user].indices if not head[item]]
        if wanted:
            values.append(sum(item in order for item in wanted) / len(wanted))
    tail = segments(data, scores, (k,))["tail"]
    assert tail.users == len(values)
    assert tail.metrics == (pytest.approx({f"recall@{k}": np.mean(values)}) if values else {})


@pytest.mark.parametrize(
    ("counts", "head"),
    [([8, 1, 1, 0], [0]), ([1, 0, 8, 1], [2]), ([4, 4, 4], [0, 1, 2]), ([1, 4, 4, 1], [1, 2]), ([79, 20, 1], [0, 1])],
)
def test_the_head_is_the_fewest_items_with_four_fifths(counts: list[int], head: list[int]) -> None:
    """The most popular come first, ties by the lower number; exactly four fifths are enough."""
    assert np.flatnonzero(head_items(np.array(counts))).tolist() == head


def test_equal_histories_are_not_parted() -> None:
    """Segments may therefore differ in size or be empty."""
    masks = terciles(np.array([3, 3, 3, 3, 4, 9]))
    assert {name: mask.tolist().count(True) for name, mask in masks.items()} == {"short": 4, "medium": 0, "long": 2}
    assert terciles(np.array([5, 5, 5]))["short"].all()


def test_a_segment_of_nothing_has_no_metrics() -> None:
    """If every item has training interactions, there are no cold items and no mean."""
    data = random_world(20, 10, density=0.6)
    cold = segments(data, np.ones(data.shape, dtype=np.float32))["cold"]
    assert cold == Segment("cold", users=0, items=0, positives=0, metrics={})
