"""Faults in what `prepare` wrote: the log, matrices, mappings and counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from tests.faults.planting import (
    DATASET_CHECK,
    LOG,
    Change,
    Fault,
    both,
    cell,
    change_array,
    copy_array,
    counted,
    from_another,
    last_bit,
    noise,
    order,
    put,
    stated,
    swap,
    table,
)
from tests.faults.world import IDS, ITEMS, USERS, Night

INTER, USER_MAP, ITEM_MAP = "films_filtered.inter", "user_mapping.csv", "item_mapping.csv"
FEATURES = "item_features_filtered.csv"
Frame = Callable[[pd.DataFrame], pd.DataFrame]


def numbers(frame: pd.DataFrame, column: str) -> np.ndarray:
    return frame[column].to_numpy().astype(np.int64)


def renumber(column: str) -> Frame:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        values = numbers(frame, column)
        return frame.assign(**{column: np.random.default_rng(6).permutation(values.max() + 1)[values]})

    return change


def where(frame: pd.DataFrame, mask: np.ndarray, **values: Any) -> pd.DataFrame:
    return frame.assign(**{name: np.where(mask, str(value), frame[name]) for name, value in values.items()})


def invent(frame: pd.DataFrame) -> pd.DataFrame:
    users, items = numbers(frame, "userID"), numbers(frame, "itemID")
    taken = set(zip(users.tolist(), items.tolist(), strict=True))
    free = [(u, i) for u in range(users.max() + 1) for i in range(items.max() + 1) if (u, i) not in taken][::17][:20]
    more = pd.DataFrame(free, columns=["userID", "itemID"]).assign(x_label=0, timestamp=frame["timestamp"][0])
    return pd.concat([frame, more], ignore_index=True)


def prepared_log() -> Iterator[Fault]:
    def label(old: str, new: str) -> Frame:
        return lambda f: where(f, (f["x_label"] == old).to_numpy(), x_label=new)

    faults: dict[str, tuple[Frame, str]] = {
        "users renumbered twice": (renumber("userID"), "rows_are_of_the_log"),
        "items renumbered twice": (renumber("itemID"), "rows_are_of_the_log"),
        "items shifted by one row": (lambda f: f.assign(itemID=np.roll(f["itemID"], 1)), "rows_are_of_the_log"),
        "users rolled by one number": (
            lambda f: f.assign(userID=(numbers(f, "userID") + 1) % (numbers(f, "userID").max() + 1)),
            "rows_are_of_the_log",
        ),
        "rows invented": (invent, "rows_are_of_the_log"),
        "a row in twenty gone": (lambda f: f[np.arange(len(f)) % 20 != 0], "log_is_complete"),
        "the last row gone": (lambda f: f[:-1], "log_is_complete"),
        "all rows of one user gone": (lambda f: f[f["userID"] != "3"], "mapping_is_used"),
        "labels drawn anew": (
            lambda f: f.assign(x_label=np.random.default_rng(7).choice(3, len(f), p=[0.8, 0.1, 0.1])),
            "labels_are_those_of_the_split",
        ),
        "train and test exchanged": (
            lambda f: f.assign(x_label=f["x_label"].map({"0": "2", "1": "1", "2": "0"})),
            "labels_are_those_of_the_split",
        ),
        "validation and test exchanged": (
            lambda f: f.assign(x_label=f["x_label"].map({"0": "0", "1": "2", "2": "1"})),
            "labels_are_those_of_the_split",
        ),
        "one label": (
            lambda f: where(f, np.arange(len(f)) == 0, x_label="2" if f["x_label"][0] != "2" else "0"),
            "labels_are_those_of_the_split",
        ),
        "all rows of one user are test": (
            lambda f: where(f, (f["userID"] == "3").to_numpy(), x_label=2),
            "all_are_trained",
        ),
        "one item only in test": (lambda f: where(f, (f["itemID"] == "3").to_numpy(), x_label=2), "all_are_trained"),
        "a test row also in train": (
            lambda f: pd.concat([f, f[f["x_label"] == "2"][:1].assign(x_label="0")], ignore_index=True),
            "pairs_are_unique",
        ),
        "a row twice": (lambda f: pd.concat([f, f[:1]], ignore_index=True), "pairs_are_unique"),
        "every row twice": (lambda f: pd.concat([f, f], ignore_index=True), "pairs_are_unique"),
        "a negative item": (lambda f: where(f, np.arange(len(f)) == 0, itemID=-1), "ids_are_whole_numbers"),
        "an item beyond the matrix": (
            lambda f: where(f, np.arange(len(f)) == 0, itemID=ITEMS + 9),
            "mapping_is_complete",
        ),
        "a user beyond the mapping": (
            lambda f: where(f, np.arange(len(f)) == 0, userID=USERS + 9),
            "mapping_is_complete",
        ),
        "a user below the core": (
            lambda f: f[(f["userID"] != "3") | (f.groupby("userID").cumcount() < 4)],
            "k_core_holds",
        ),
        "an item below the core": (
            lambda f: f[(f["itemID"] != "3") | (f.groupby("itemID").cumcount() < 4)],
            "k_core_holds",
        ),
        "without rows": (lambda f: f[:0], "log_has_rows"),
        "a gap in the numbers": (lambda f: where(f, (f["userID"] == "7").to_numpy(), userID=USERS), "mapping_is_used"),
        "a label of 3": (lambda f: where(f, np.arange(len(f)) == 0, x_label=3), "labels_are_known"),
        "a label of 0.5": (lambda f: where(f, np.arange(len(f)) == 0, x_label=0.5), "labels_are_known"),
        "an empty label": (lambda f: where(f, np.arange(len(f)) == 0, x_label=""), "labels_are_known"),
        "no validation": (label("1", "0"), "splits_are_used"),
        "no test": (label("2", "0"), "splits_are_used"),
        "times in milliseconds": (lambda f: f.assign(timestamp=f["timestamp"] + "000"), "times_are_those_of_the_log"),
        "times in the year 2099": (lambda f: f.assign(timestamp="4070908800"), "times_are_those_of_the_log"),
        "times below zero": (lambda f: f.assign(timestamp="-5"), "times_are_those_of_the_log"),
        "times permuted": (
            lambda f: f.assign(timestamp=np.random.default_rng(8).permutation(f["timestamp"])),
            "times_are_those_of_the_log",
        ),
        "no times": (lambda f: f.drop(columns="timestamp"), "times_are_those_of_the_log"),
        "column renamed": (lambda f: f.rename(columns={"userID": "user_id"}), "column_exists"),
        "users as words": (lambda f: f.assign(userID="u" + f["userID"]), "ids_are_whole_numbers"),
    }
    for what, (change, expectation) in faults.items():
        yield Fault("prepared log", what, table("prepare", INTER, change), DATASET_CHECK, expectation)


def consistent_swap(night: Night) -> None:
    """Two items exchanged in mapping, features, source rows and matrices, and not in the log."""
    swap("prepare", "item_id", ITEM_MAP)(night)
    both(swap("prepare", "item_id", FEATURES), swap("prepare", "source_idx", FEATURES))(night)
    for name in ("plot", "tags", "sound"):
        night.array(
            "prepare",
            f"{name}_filtered.npy",
            lambda a: a[order("two rows swapped")[order("two rows swapped") < len(a)]],
        )


def prepared_tables() -> Iterator[Fault]:

    def matrix(change: Change, file: str = "plot_filtered.npy") -> Callable[[Night], None]:
        return partial(change_array, step="prepare", file=file, change=change)

    faults: dict[str, tuple[Callable[[Night], None], str]] = {
        "matrix: two rows swapped": (
            matrix(lambda a: a[order("two rows swapped")[: len(a)]]),
            "rows_equal_their_source",
        ),
        "matrix: rolled by one": (matrix(lambda a: np.roll(a, 1, axis=0)), "rows_equal_their_source"),
        "matrix: permuted": (
            matrix(lambda a: a[np.random.default_rng(9).permutation(len(a))]),
            "rows_equal_their_source",
        ),
        "matrix: one bit": (matrix(last_bit), "rows_equal_their_source"),
        "matrix: that of another feature": (
            partial(copy_array, step="prepare", source="tags_filtered.npy", target="plot_filtered.npy"),
            "rows_equal_their_source",
        ),
        "matrix: a NaN": (matrix(put((7, 3), np.nan)), "vectors_are_finite"),
        "matrix: a row of zeros": (matrix(put(7, 0.0)), "rows_equal_their_source"),
        "matrix: as float64": (matrix(lambda a: a.astype(np.float64)), "rows_equal_their_source"),
        "matrix: last row missing": (matrix(lambda a: a[:-1]), "rows_equal_items"),
        "matrix of arrivals: reversed": (matrix(lambda a: a[::-1], "plot_arrivals.npy"), "rows_equal_their_source"),
        "matrix of arrivals: noise": (matrix(noise, "plot_arrivals.npy"), "rows_equal_their_source"),
        "matrix of arrivals: a row missing": (matrix(lambda a: a[:-1], "plot_arrivals.npy"), "rows_equal_arrivals"),
        "items: two ids swapped": (swap("prepare", "item_id", ITEM_MAP), "ids_are_those_of_mapping"),
        "items: swapped in mapping and features": (
            swap("prepare", "item_id", ITEM_MAP, FEATURES),
            "source_rows_are_of_the_item",
        ),
        "items: swapped everywhere but in the log": (consistent_swap, "rows_are_of_the_log"),
        "items: numbered from 1": (
            table("prepare", ITEM_MAP, lambda f: f.assign(idx=numbers(f, "idx") + 1)),
            "mapping_is_complete",
        ),
        "items: an id twice": (cell("prepare", ITEM_MAP, "item_id", 7, IDS[8]), "external_ids_are_unique"),
        "items: two source rows swapped": (swap("prepare", "source_idx", FEATURES), "source_rows_are_of_the_item"),
        "users: two ids swapped": (swap("prepare", "user_id", USER_MAP), "rows_are_of_the_log"),
        "users: all ids rotated": (
            table("prepare", USER_MAP, lambda f: f.assign(user_id=np.roll(f["user_id"], 1))),
            "rows_are_of_the_log",
        ),
        "users: an id that nobody has": (cell("prepare", USER_MAP, "user_id", 7, "nobody"), "rows_are_of_the_log"),
        "users: an id in other case": (cell("prepare", USER_MAP, "user_id", 7, "USER-7"), "rows_are_of_the_log"),
        "users: one under two numbers": (cell("prepare", USER_MAP, "user_id", 7, "user-8"), "external_ids_are_unique"),
        "users: last line missing": (table("prepare", USER_MAP, lambda f: f[:-1]), "mapping_is_complete"),
        "users: numbered from 1": (
            table("prepare", USER_MAP, lambda f: f.assign(idx=numbers(f, "idx") + 1)),
            "mapping_is_complete",
        ),
        "users: an empty id": (cell("prepare", USER_MAP, "user_id", 7, ""), "external_ids_are_given"),
        "arrivals: numbered from 0": (
            table("prepare", "arrivals.csv", lambda f: f.assign(idx=range(len(f)))),
            "arrivals_follow_known_items",
        ),
        "arrivals: a known item": (cell("prepare", "arrivals.csv", "item_id", 0, IDS[0]), "arrivals_are_not_known"),
        "filled: a vector that is there": (
            table(
                "prepare", "filled.csv", lambda f: pd.DataFrame({"item_id": [IDS[7]], "idx": [7], "feature": ["plot"]})
            ),
            "rows_equal_their_source",
        ),
        "outside: a row gone": (table("prepare", "films_outside.inter", lambda f: f[1:]), "log_is_complete"),
        "counts: a user more": (counted("prepare", "users_in_5_core", 1), "counts_are_as_stated"),
        "counts: a row of train more": (counted("prepare", "train", 1), "counts_are_as_stated"),
        "counts: an arrival more": (counted("prepare", "arrivals", 1), "counts_are_as_stated"),
        "counts: none": (stated("prepare", counts={}), "counts_are_as_stated"),
        "made from another alignment": (from_another("prepare", "align"), "made_from_what_stands_there"),
        "made from another log": (from_another("prepare", LOG), "made_from_what_stands_there"),
        "made from another scan": (from_another("prepare", "scan"), "made_from_what_stands_there"),
    }
    for what, (plant, expectation) in faults.items():
        yield Fault("prepared dataset", what, plant, DATASET_CHECK, expectation)
