"""Checks of arrivals, each of which one fault fails."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from tasks.quality.arrivals import arrivals_tables, find_copies
from tasks.quality.report import Report
from tasks.quality.suite import validate

KNOWN, ARRIVALS = 6, 4
IDS = np.array([f"item-{number}" for number in range(KNOWN + ARRIVALS)], dtype=object)


class World:
    """Six known items and four arrivals with two features."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        rows = {name: rng.normal(size=(KNOWN + ARRIVALS, 8)).astype(np.float32) for name in ("image", "text")}
        self.known = {name: matrix[:KNOWN] for name, matrix in rows.items()}
        self.features = {name: matrix[KNOWN:] for name, matrix in rows.items()}
        number = np.arange(KNOWN, KNOWN + ARRIVALS)
        self.arrivals = pd.DataFrame({"item_id": IDS[KNOWN:], "idx": number, "source_idx": number})

    def check(self) -> Report:
        """The report about them."""
        return validate("s", arrivals_tables(self.arrivals, self.features, self.known, IDS[:KNOWN], IDS))


def lose_a_row(w: World) -> None:
    w.features["text"] = w.features["text"][:-1]


def count_from_zero(w: World) -> None:
    w.arrivals["idx"] -= KNOWN


def name_a_known_item(w: World) -> None:
    w.arrivals.loc[0, ["item_id", "source_idx"]] = [IDS[2], 2]


def take_another_row(w: World) -> None:
    w.arrivals.loc[0, "source_idx"] = KNOWN + 1


def spoil_a_vector(w: World) -> None:
    w.features["image"][1, 2] = np.nan


def copy_most(w: World) -> None:
    for name, matrix in w.features.items():
        matrix[:3] = 2 * w.known[name][[0, 2, 4]]


def test_good_arrivals_pass_and_none_are_no_fault() -> None:
    """A night without arrivals has nothing to check but that."""
    assert World().check().success
    world = World()
    world.arrivals = world.arrivals[:0]
    world.features = {name: matrix[:0] for name, matrix in world.features.items()}
    assert world.check().success


@pytest.mark.parametrize(
    ("fault", "expectation"),
    [
        (lose_a_row, "rows_equal_arrivals"),
        (count_from_zero, "arrivals_follow_known_items"),
        (name_a_known_item, "arrivals_are_not_known"),
        (take_another_row, "source_rows_are_of_the_item"),
        (spoil_a_vector, "vectors_are_finite"),
        (copy_most, "arrivals_are_new"),
    ],
)
def test_each_fault_is_found(fault: Callable[[World], None], expectation: str) -> None:
    """And no other expectation fails."""
    world = World()
    fault(world)
    assert {check.expectation for check in world.check().failures} == {expectation}


def test_a_copy_is_one_in_every_feature() -> None:
    """The same poster under another title is another item; a few copies pass."""
    world = World()
    world.features["image"][0] = world.known["image"][3]
    assert not find_copies(world.features, world.known).any()
    world.features["text"][0] = world.known["text"][3]
    assert find_copies(world.features, world.known).tolist() == [True, False, False, False]
    assert world.check().success
