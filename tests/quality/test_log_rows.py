"""A prepared log beside the one that it was made from: what was invented, lost, exchanged or relabelled is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.data import Interactions
from tasks.quality.log_rows import ExternalIds, LogFiles, log_tables
from tasks.quality.report import Report
from tasks.quality.suite import Table, validate

BESIDE_LOG = {
    *("rows_are_of_the_log", "log_is_complete", "rows_are_in_one_place", "rows_are_selected"),
    *("selected_rows_are_there", "labels_are_those_of_the_split", "times_are_those_of_the_log"),
    "counts_are_those_of_the_log",
}
USERS, ITEMS = 12, 10
EVERYTHING = {"users": USERS, "items": ITEMS}


@dataclass
class World:
    """A log whose last user and last item are outside the dataset, and the files that `prepare` makes of it."""

    log: Interactions
    selected: Interactions
    catalogue: np.ndarray
    files: dict[str, pd.DataFrame] = field(default_factory=dict)  # rows, outside, users, others, items, arrivals

    @classmethod
    def sound(cls, seed: int = 3) -> World:
        """Numbers of the dataset are not those of the log."""
        rng = np.random.default_rng(seed)
        taken = rng.random((USERS, ITEMS)) < 0.6
        taken[:, 0] = taken[0] = taken[-1, -1] = True
        users, items = (codes.astype(np.int32) for codes in np.nonzero(taken))
        order = rng.permutation(len(users))
        log = Interactions(
            users[order],
            items[order],
            np.array([f"u{number}" for number in range(USERS)]),
            np.array([f"i{number}" for number in range(ITEMS)]),
            rng.integers(1, 1000, len(users)),
            rng.integers(0, 3, len(users)).astype(np.int8),
        )
        inside = (log.users < USERS - 1) & (log.items < ITEMS - 2)
        catalogue = log.item_ids[: ITEMS - 1]  # the last item has no features
        world = cls(log, log.take(inside), catalogue)
        selected, beside = world.selected, ~inside & (log.items < ITEMS - 1)
        user_ids = np.append(rng.permutation(selected.user_ids), log.user_ids[-1])
        item_ids = np.append(rng.permutation(selected.item_ids), log.item_ids[ITEMS - 2])
        numbers = [pd.Index(ids) for ids in (user_ids, item_ids)]

        def frame(mask: np.ndarray, *, labelled: bool) -> pd.DataFrame:
            columns = {
                "userID": numbers[0].get_indexer(log.user_ids[log.users[mask]]),
                "itemID": numbers[1].get_indexer(log.item_ids[log.items[mask]]),
            }
            columns |= {"x_label": log.labels[mask]} if labelled and log.labels is not None else {}
            return pd.DataFrame(columns | {"timestamp": np.asarray(log.timestamps)[mask]})

        world.files = {"rows": frame(inside, labelled=True), "outside": frame(beside, labelled=False)}
        for kind, ids in (("user", user_ids), ("item", item_ids)):
            world.files[f"{kind}s"] = pd.DataFrame({f"{kind}_id": ids, "idx": range(len(ids))})
        return world

    def tables(self) -> list[Table]:
        """Facts about the files."""
        files = LogFiles(
            rows=self.files["rows"],
            outside=self.files["outside"],
            users=ExternalIds.of("user_id", self.files["users"]),
            items=ExternalIds.of("item_id", self.files["items"]),
        )
        return log_tables(files, self.log, self.catalogue, self.selected)

    def check(self) -> Report:
        """The report on them."""
        return validate("log", self.tables())


def failed(report: Report) -> set[str]:
    """Names of the expectations that failed."""
    return {check.expectation for check in report.failures}


def swap_users(world: World) -> None:
    column = world.files["users"]["user_id"].to_numpy().copy()
    column[[1, 2]] = column[[2, 1]]
    world.files["users"]["user_id"] = column


def rotate_users(world: World) -> None:
    world.files["users"]["user_id"] = np.roll(world.files["users"]["user_id"].to_numpy(), 1)


def renumber_twice(column: str, size: int) -> Callable[[World], None]:
    def renumber(world: World) -> None:
        numbers = np.random.default_rng(4).permutation(size)
        rows = world.files["rows"]
        world.files["rows"] = rows.assign(**{column: numbers[rows[column]]})

    return renumber


def swap_items(world: World) -> None:
    column = world.files["items"]["item_id"].to_numpy().copy()
    column[[1, 2]] = column[[2, 1]]
    world.files["items"]["item_id"] = column


def invent(world: World) -> None:
    rows = world.files["rows"]
    taken = set(zip(rows["userID"], rows["itemID"], strict=True))
    new = [(user, item) for user in range(USERS - 1) for item in range(ITEMS - 2) if (user, item) not in taken][:5]
    more = pd.DataFrame(new, columns=["userID", "itemID"]).assign(x_label=0, timestamp=1)
    world.files["rows"] = pd.concat([rows, more], ignore_index=True)


def lose(world: World) -> None:
    world.files["rows"] = world.files["rows"][3:]


def lose_outside(world: World) -> None:
    world.files["outside"] = world.files["outside"][1:]


def move_outside(world: World) -> None:
    rows, outside = world.files["rows"], world.files["outside"]
    world.files["outside"] = pd.concat([outside, rows[:2].drop(columns="x_label")], ignore_index=True)
    world.files["rows"] = rows[2:]


def keep_twice(world: World) -> None:
    rows, outside = world.files["rows"], world.files["outside"]
    world.files["outside"] = pd.concat([outside, rows[:2].drop(columns="x_label")], ignore_index=True)


def move_inside(world: World) -> None:
    rows, outside = world.files["rows"], world.files["outside"]
    world.files["rows"] = pd.concat([rows, outside[:2].assign(x_label=0)], ignore_index=True)
    world.files["outside"] = outside[2:]


def relabel(world: World) -> None:
    rows = world.files["rows"]
    world.files["rows"] = rows.assign(x_label=(rows["x_label"] + 1) % 3)


def exchange_parts(world: World) -> None:
    rows = world.files["rows"]
    world.files["rows"] = rows.assign(x_label=rows["x_label"].map({0: 0, 1: 2, 2: 1}))


def in_milliseconds(world: World) -> None:
    world.files["rows"] = world.files["rows"].assign(timestamp=world.files["rows"]["timestamp"] * 1000)


def without_times(world: World) -> None:
    world.files["outside"] = world.files["outside"].drop(columns="timestamp")


INVENTED, LOST = "rows_are_of_the_log", "log_is_complete"
MISPLACED, LEFT = "rows_are_selected", "selected_rows_are_there"
MOVED = {INVENTED, LOST, MISPLACED, LEFT}
FAULTS: list[tuple[Callable[[World], None], set[str]]] = [
    (swap_users, MOVED),
    (rotate_users, MOVED),
    (renumber_twice("userID", USERS - 1), MOVED),
    (renumber_twice("itemID", ITEMS - 2), MOVED),
    (swap_items, MOVED),
    (invent, {INVENTED, MISPLACED}),
    (lose, {LOST, LEFT, "counts_are_those_of_the_log"}),
    (lose_outside, {LOST}),
    (move_outside, {LEFT, "counts_are_those_of_the_log"}),
    (keep_twice, {"rows_are_in_one_place"}),
    (move_inside, {MISPLACED, "counts_are_those_of_the_log"}),
    (relabel, {"labels_are_those_of_the_split"}),
    (exchange_parts, {"labels_are_those_of_the_split"}),
    (in_milliseconds, {"times_are_those_of_the_log"}),
    (without_times, {"times_are_those_of_the_log"}),
]


@pytest.mark.parametrize("seed", range(3))
def test_a_sound_log_passes(seed: int) -> None:
    """Whatever the numbers that users and items were given."""
    report = World.sound(seed).check()
    assert failed(report) == set()
    assert {check.expectation for check in report.results} == {*BESIDE_LOG, "table_has_rows"}


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "expectations"), FAULTS, ids=[fault.__name__ for fault, _ in FAULTS])
def test_a_fault_is_found_by_what_is_about_it(fault: Callable[[World], None], expectations: set[str]) -> None:
    """Each fails at least the expectations that it is about, with ids."""
    world = World.sound()
    fault(world)
    report = world.check()
    assert expectations <= failed(report)
    assert failed(report) - expectations <= {"counts_are_those_of_the_log", "labels_are_those_of_the_split"} | (
        {"times_are_those_of_the_log"} if expectations == MOVED else set()
    )
    assert any(check.sample_ids for check in report.failures)


def test_every_expectation_has_a_fault() -> None:
    """There is none that cannot fail."""
    assert set().union(*(expectations for _, expectations in FAULTS)) == BESIDE_LOG


def test_a_log_without_times_or_labels_is_compared_by_its_pairs() -> None:
    """As where the dataset has no times, and none is invented."""
    world = World.sound()
    world.log = replace(world.log, timestamps=None)
    world.selected = replace(world.selected, timestamps=None)
    assert failed(world.check()) == {"times_are_those_of_the_log"}
    world.files |= {name: world.files[name].drop(columns="timestamp") for name in ("rows", "outside")}
    assert failed(world.check()) == set()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.permutations(range(USERS - 1)))
def test_no_renumbering_of_users_passes(seed: int, order: list[int]) -> None:
    """A permuted mapping is a fault unless it is the identity, or exchanges users with the same rows."""
    world = World.sound(seed)
    ids = world.files["users"]["user_id"].to_numpy().copy()
    rows = world.files["rows"]
    taken = {user: frozenset(group["itemID"]) for user, group in rows.groupby("userID")}
    world.files["users"]["user_id"] = np.append(ids[:-1][order], ids[-1])
    same = all(taken[user] == taken[order[user]] for user in range(USERS - 1))
    assert bool(world.tables()[0].frame["invented"].all()) is same  # the fact itself: a report takes half a second
