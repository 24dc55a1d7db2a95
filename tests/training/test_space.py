"""Ranges, and hyperparameters within hyperparameters."""

from __future__ import annotations

import pytest

from tasks.training import Choice, Range, Real, Whole, pick_values, place_values, prefix_space, widen


@pytest.mark.parametrize(
    ("within", "inside", "outside"),
    [
        (Real(0, 1), [0, 0.5, 1.0], [-0.1, 1.1, float("nan"), None, "0.5", {"text": 0.5}]),
        (Whole(1, 4), [1, 4], [0, 5, 2.5, None]),
        (Choice((2, 4)), [2, 4], [3, None, {"text": 2}]),
    ],
)
def test_a_range_knows_what_is_in_it(within: Range, inside: list[object], outside: list[object]) -> None:
    """Ends included; what is no number is outside."""
    assert [value in within for value in inside] == [True] * len(inside)
    assert [value in within for value in outside] == [False] * len(outside)


@pytest.mark.parametrize(
    ("within", "value", "found"),
    [
        (Real(0, 1), 0.5, Real(0, 1)),
        (Real(1e-3, 1, log=True), 2.5, Real(1e-3, 2.5, log=True)),
        (Real(1e-3, 1, log=True), 1e-4, Real(1e-4, 1, log=True)),
        (Whole(1, 4), 8, Whole(1, 8)),
        (Whole(1, 4), 8.5, None),
        (Real(0.5, 1), 0, Real(0, 1)),
        (Real(0, 1), float("nan"), None),
        (Real(1e-3, 1, log=True), 0, None),  # has no order of magnitude
        (Real(0, 1), {"text": 0.5}, None),
        (Whole(1, 4), None, None),
        (Choice((2, 4)), 4, Choice((2, 4))),
        (Choice((2, 4)), 8, None),
    ],
)
def test_a_range_is_widened_to_a_number(within: Range, value: object, found: Range | None) -> None:
    """Where it ends before, on either side; a choice stays what it is."""
    assert widen(within, value) == found


def test_a_dotted_key_is_placed_within() -> None:
    """Beside what is there already, which is not changed."""
    given = {"cease": {"dropout": 0.5, "relative_l2": 1.0}, "weight": 2.0}
    found = place_values(given, {"cease.relative_l2": 3.0, "ials.alpha": 7.0})
    assert found == {"cease": {"dropout": 0.5, "relative_l2": 3.0}, "weight": 2.0, "ials": {"alpha": 7.0}}
    assert given["cease"] == {"dropout": 0.5, "relative_l2": 1.0}


def test_values_that_are_placed_are_picked_again() -> None:
    """By the keys of a space, those of a config within included."""
    space = {
        **prefix_space("cease", {"dropout": Real(0, 1)}),
        "weight": Real(0, 5),
        **prefix_space("ials", {"alpha": Real(1, 5)}),
    }
    assert pick_values({"cease": {"dropout": 0.5}, "weight": 1.0, "other": 3}, space) == {
        "cease.dropout": 0.5,
        "weight": 1.0,
    }
