"""The table of per-user values."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.errors import BadInput
from tasks.metrics import Evaluation, evaluate, paired_bootstrap, user_table, user_values
from tests.world import random_world

DATA = random_world(30, 40)


def measured(seed: int) -> dict[str, Evaluation]:
    scores = np.random.default_rng(seed).normal(size=DATA.shape).astype(np.float32)
    return {split: evaluate(lambda users: scores[users], DATA, split, cutoffs=(5, 10)) for split in ("valid", "test")}


def test_every_user_has_a_row_in_each_split_with_its_own_id() -> None:
    """Columns are named by metric and cutoff, values are float32."""
    evaluations = measured(0)
    table = user_table(evaluations, DATA)
    assert len(table) == sum(len(evaluation.users) for evaluation in evaluations.values())
    rows = table[table["split"] == "test"]
    assert rows["user"].tolist() == evaluations["test"].users.tolist()
    assert rows["user_id"].tolist() == [f"user {user}" for user in evaluations["test"].users]
    assert table["map@10"].dtype == np.float32
    np.testing.assert_array_equal(rows["map@10"], evaluations["test"].values["map"][:, 1].astype(np.float32))


def test_a_table_gives_the_values_back() -> None:
    """Cutoffs, metrics and values are read back, with user ids."""
    evaluations = measured(0)
    again = user_values(user_table(evaluations, DATA), "valid")
    assert again.users.tolist() == DATA.user_ids[evaluations["valid"].users].tolist()
    assert (again.cutoffs, list(again.values)) == ((5, 10), list(evaluations["valid"].values))
    assert again.means() == pytest.approx(evaluations["valid"].means(), rel=1e-7)


def test_two_tables_are_compared_as_the_evaluations_they_keep() -> None:
    """The difference of two models, its interval and its p equal those of the values before writing."""
    one, other = measured(0), measured(1)
    expected = paired_bootstrap(one["test"], other["test"], resamples=200)
    tables = (user_values(user_table(evaluations, DATA), "test") for evaluations in (one, other))
    differences = paired_bootstrap(*tables, resamples=200)
    assert {name: one.mean for name, one in differences.items()} == pytest.approx(
        {name: one.mean for name, one in expected.items()}, abs=1e-7
    )
    assert differences["ndcg@5"].high == pytest.approx(expected["ndcg@5"].high, abs=1e-7)


def test_a_split_that_is_not_there_is_an_error() -> None:
    """The error lists the existing splits."""
    with pytest.raises(BadInput, match=r"no row of split 'train' found, expected one of \['valid', 'test'\]"):
        user_values(user_table(measured(0), DATA), "train")
