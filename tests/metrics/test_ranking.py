"""Ranking metrics: hand-computed values, a slow reference, and masking."""

from __future__ import annotations

import math
import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.data import Dataset, blocks
from tasks.errors import BadInput, TaskError
from tasks.metrics import evaluate, selection_metric
from tasks.metrics.ranking import ranking_metrics
from tests.world import dataset, random_world


def test_hand_values() -> None:
    """Two users: hits at ranks 1 and 4 of two positives, and no hit of eight."""
    hits = np.array([[1, 0, 0, 1, 0], [0, 0, 0, 0, 0]], dtype=bool)
    metrics = ranking_metrics(hits, np.array([2, 8]), (1, 2, 3, 4, 5))
    means = {name: table.mean(axis=0) for name, table in metrics.items()}
    np.testing.assert_allclose(means["recall"], [0.25, 0.25, 0.25, 0.5, 0.5])
    np.testing.assert_allclose(means["ndcg"], [0.5, 0.3066, 0.3066, 0.4386, 0.4386], atol=5e-5)
    np.testing.assert_allclose(means["map"], [0.5, 0.25, 0.25, 0.375, 0.375])
    np.testing.assert_allclose(means["precision"], [0.5, 0.25, 1 / 6, 0.25, 0.2])
    np.testing.assert_allclose(means["mrr"], [0.5] * 5)
    np.testing.assert_allclose(means["hit"], [0.5] * 5)


def test_the_first_hit_counts_from_its_rank_on() -> None:
    """There is no hit before its rank."""
    metrics = ranking_metrics(np.array([[0, 0, 1, 1]], dtype=bool), np.array([3]), (1, 2, 3, 4))
    np.testing.assert_allclose(metrics["mrr"], [[0, 0, 1 / 3, 1 / 3]])
    np.testing.assert_allclose(metrics["hit"], [[0, 0, 1, 1]])


def slowly(scores: np.ndarray, data: Dataset, split: str, masked: tuple[str, ...], k: int) -> dict[str, float]:
    """Compute the metrics of one user at a time, from their definitions."""
    totals = {"recall": 0.0, "ndcg": 0.0, "precision": 0.0, "map": 0.0, "mrr": 0.0, "hit": 0.0}
    users = 0
    for user, row in enumerate(scores):
        positives = set(getattr(data, split)[user].indices.tolist())
        if not positives:
            continue
        users += 1
        seen = {item for name in masked for item in getattr(data, name)[user].indices.tolist()}
        order = [item for item in sorted(range(len(row)), key=lambda item: (-row[item], item)) if item not in seen][:k]
        hits = [rank for rank, item in enumerate(order, 1) if item in positives]
        ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(k, len(positives)) + 1))
        totals["mrr"] += 1 / hits[0] if hits else 0.0
        totals["hit"] += bool(hits)
        totals["recall"] += len(hits) / len(positives)
        totals["precision"] += len(hits) / k
        totals["ndcg"] += sum(1 / math.log2(rank + 1) for rank in hits) / ideal
        totals["map"] += sum(place / rank for place, rank in enumerate(hits, 1)) / min(k, len(positives))
    return {f"{name}@{k}": total / users for name, total in totals.items()}


@given(
    seed=st.integers(0, 500), split=st.sampled_from(["valid", "test"]), both=st.booleans(), levels=st.integers(1, 30)
)
def test_it_agrees_with_a_slow_reference(seed: int, split: str, both: bool, levels: int) -> None:
    """This holds for any scores (few levels, many ties), split and mask, and for a k beyond the catalogue."""
    data = random_world(8, 12, density=0.5, seed=seed)
    if not getattr(data, split).nnz:
        return
    scores = np.random.default_rng(seed).integers(0, levels, size=(8, 12)).astype(np.float32)
    masked = ("train", "valid") if both and split == "test" else ("train",)
    means = evaluate(lambda users: scores[users], data, split, cutoffs=(1, 3, 20), exclude_seen=masked).means()
    for k in (1, 3, 20):
        for name, value in slowly(scores, data, split, masked, k).items():
            assert means[name] == pytest.approx(value, abs=1e-12)


def tiny() -> Dataset:
    """One user has item 0 in train, 1 in valid and 2 in test; another only has training items; five items."""
    tables = np.zeros((3, 2, 5), dtype=bool)
    tables[0, :, 0] = tables[1, 0, 1] = tables[2, 0, 2] = True
    return dataset("tiny", *tables)


def scores(users: np.ndarray) -> np.ndarray:
    """Return scores that rank the items by number."""
    return np.tile(-np.arange(5, dtype=np.float32), (len(users), 1))


def test_what_is_masked_is_what_is_asked_for() -> None:
    """On test, the validation item is ranked unless it is excluded; the training item never is."""
    recall = {
        masked: evaluate(scores, tiny(), "test", cutoffs=(1,), exclude_seen=masked).means()["recall@1"]
        for masked in [("train",), ("train", "valid"), ("valid",)]
    }
    assert recall == {("train",): 0.0, ("train", "valid"): 1.0, ("valid",): 0.0}


@pytest.mark.parametrize("masked", [("train",), ("train", "valid")])
def test_what_is_excluded_is_ranked_behind_everything_else(masked: tuple[str, ...]) -> None:
    """A masked item is not in the top list even with the highest score; other items are."""
    data = random_world(30, 40, density=0.2)
    seen = (data.train + data.valid).toarray()
    evaluation = evaluate(lambda users: seen[users], data, "test", cutoffs=(5,), exclude_seen=masked)
    for split in ("train", "valid"):
        shown = getattr(data, split).toarray()[evaluation.users[:, None], evaluation.top]
        assert shown.any() == (split not in masked)


def test_training_items_alone_are_masked_unless_asked_otherwise() -> None:
    """This is the protocol of published results."""
    data = random_world(30, 40, density=0.2)
    seen = (data.train + data.valid).toarray()
    default = evaluate(lambda users: seen[users], data, "test").means()
    assert default == evaluate(lambda users: seen[users], data, "test", exclude_seen=("train",)).means()
    assert default != evaluate(lambda users: seen[users], data, "test", exclude_seen=("train", "valid")).means()


def test_users_without_positives_are_left_out() -> None:
    """They are not zeros in the mean, and the model is not asked for their scores."""
    asked: list[int] = []

    def remember(users: np.ndarray) -> np.ndarray:
        asked.extend(users.tolist())
        return scores(users)

    evaluation = evaluate(remember, tiny(), "valid", cutoffs=(1,))
    assert evaluation.users.tolist() == asked == [0]
    assert evaluation.means()["recall@1"] == 1.0


def test_selection_is_on_validation() -> None:
    """The deciding metric is NDCG@20 on validation; test has no influence."""
    selected = selection_metric(SimpleNamespace(scores=scores), tiny())
    assert selected == evaluate(scores, tiny(), "valid").means()["ndcg@20"] == 1.0


def test_a_k_beyond_the_catalogue_still_divides_by_k() -> None:
    """Precision@50 of five items cannot exceed a tenth."""
    assert evaluate(scores, tiny(), "test").means()["precision@50"] == 1 / 50


def test_batches_are_bounded_and_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """One user at a time gives the same metrics as all at once."""
    data = random_world(30, 40)
    table = np.random.default_rng(0).normal(size=(30, 40)).astype(np.float32)
    whole = evaluate(lambda users: table[users], data, "test").means()
    monkeypatch.setattr(blocks, "CELLS", 1)
    sizes: list[int] = []

    def remember(users: np.ndarray) -> np.ndarray:
        sizes.append(len(users))
        return table[users]

    assert evaluate(remember, data, "test").means() == whole
    assert set(sizes) == {1}


def test_scores_are_not_overwritten() -> None:
    """A model may return its own table, which must not be changed."""
    table = scores(np.arange(1))
    evaluate(lambda _: table, tiny(), "test")
    np.testing.assert_array_equal(table, scores(np.arange(1)))


@pytest.mark.parametrize(
    ("given_scores", "said"),
    [(np.full((1, 5), np.nan), "expected finite ones of shape"), (np.zeros((1, 4)), r"shape \(1, 4\) found")],
)
def test_scores_that_are_none_are_an_error(given_scores: np.ndarray, said: str) -> None:
    """NaN is refused, and so are scores for a part of the catalogue."""
    with pytest.raises(TaskError, match=said):
        evaluate(lambda _: given_scores, tiny(), "test")


def test_an_empty_split_is_an_error() -> None:
    """There is no default metric for it."""
    data = dataset("tiny", *np.stack([np.ones((2, 5)), np.zeros((2, 5)), np.zeros((2, 5))]).astype(bool))
    with pytest.raises(BadInput, match="split test of tiny has no interactions"):
        evaluate(scores, data, "test")


def test_a_split_cannot_be_evaluated_and_excluded() -> None:
    """All its positives would be masked."""
    with pytest.raises(BadInput, match="split test is both evaluated and excluded"):
        evaluate(scores, tiny(), "test", exclude_seen=("train", "test"))


def test_a_split_that_is_none_is_an_error() -> None:
    """The error names it and lists the known ones."""
    with pytest.raises(BadInput, match=r"^split 'tset' found, expected one of train, valid, test$"):
        evaluate(lambda users: np.zeros((len(users), 5)), tiny(), "tset")  # type: ignore[arg-type]


@pytest.mark.parametrize("excluded", [("trian",), ("features",), ("train", "shape"), "train"])
def test_what_is_excluded_is_a_split(excluded: Any) -> None:
    """A mistyped name, another attribute of a dataset, or a string instead of a tuple is refused."""
    with pytest.raises(
        BadInput, match=rf"^exclude_seen {re.escape(repr(excluded))} found, expected some of train, valid, test$"
    ):
        evaluate(scores, tiny(), "test", exclude_seen=excluded)


@pytest.mark.parametrize("cutoffs", [(), (0,), (5, -1)])
def test_a_cutoff_is_at_least_one(cutoffs: tuple[int, ...]) -> None:
    """Otherwise the metric would be meaningless."""
    with pytest.raises(BadInput, match="expected numbers of ranks from 1 on"):
        evaluate(scores, tiny(), "valid", cutoffs=cutoffs)
