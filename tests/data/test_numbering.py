"""The order in which users and items are numbered."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.data import Interactions, canonical_integers, in_order, numbering
from tests.data.logs import Pair, log_of, named, pairs

IDS = st.one_of(
    st.lists(st.integers(0, 10**17).map(str), unique=True, max_size=30),
    st.lists(st.text("ab01-é", min_size=1, max_size=6), unique=True, max_size=30),
)


@given(IDS)
def test_numbering_is_a_bijection_that_depends_on_the_ids_alone(ids: list[str]) -> None:
    """Every position occurs once, and shuffled ids get the same order."""
    order = numbering(np.array(ids, dtype=np.str_))
    assert sorted(order.tolist()) == list(range(len(ids)))
    arranged = [ids[place] for place in order]
    back = list(reversed(ids))
    assert [back[place] for place in numbering(np.array(back, dtype=np.str_))] == arranged


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["10", "9", "0", "100"], ["0", "9", "10", "100"]),
        (["10", "9", "007"], ["007", "10", "9"]),
        (["b", "a", "10", "9"], ["10", "9", "a", "b"]),
        (["-1", "1", "0"], ["-1", "0", "1"]),
        (["٣", "2", "1"], ["1", "2", "٣"]),
        ([], []),
    ],
)
def test_numbers_go_by_value_and_everything_else_by_code_point(ids: list[str], expected: list[str]) -> None:
    """Ids are numbers only if all of them are canonical integers."""
    array = np.array(ids, dtype=np.str_)
    assert array[numbering(array)].tolist() == expected


def test_padded_or_huge_numbers_are_no_canonical_integers() -> None:
    """'07' is text, since 7 would be another id; so is a number beyond int64."""
    assert canonical_integers(np.array(["7", "12"])) is not None
    assert canonical_integers(np.array(["7", "07"])) is None
    assert canonical_integers(np.array(["9" * 19])) is None


@given(pairs())
def test_in_order_changes_codes_and_not_what_they_mean(log: list[Pair]) -> None:
    """The pairs are the same and the vocabularies sorted, whatever their previous order."""
    known = log_of(log)
    shuffle = np.random.default_rng(len(log)).permutation(len(known.item_ids))
    place = np.argsort(shuffle).astype(np.int32)
    mixed = Interactions(known.users, place[known.items], known.user_ids, known.item_ids[shuffle])
    numbered = in_order(mixed)
    assert named(numbered) == named(known)
    assert [int(one) for one in numbered.item_ids] == sorted(int(one) for one in known.item_ids)
    np.testing.assert_array_equal(numbered.items, in_order(known).items)
