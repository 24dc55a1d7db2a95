"""Planted faults: what each is refused by, and the ways of spoiling a matrix, a table or a manifest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tests.faults.world import ITEMS, WIDTH, Night

Change = Callable[[np.ndarray], "np.ndarray | None"]
EMBEDDINGS, DATASET_CHECK = "check-embeddings", "check-dataset"
LOG, SOUND = "interactions/films/one", "matrices/films/sound/one"


@dataclass(frozen=True)
class Fault:
    """What is planted where, the check that refuses it, and the expectation that says so, or the error."""

    where: str
    what: str
    plant: Callable[[Night], None]
    check: str
    expectation: str
    again: bool = False  # `align` is run again after it was planted


KEYS = "plot_items.csv"
ALL_KEYS = ("plot_items.csv", "tags_items.csv", "sound_items.csv")


def order(name: str) -> np.ndarray:
    """An order of the rows that is not theirs."""
    rows = np.arange(ITEMS)
    if name == "two rows swapped":
        rows[[5, 9]] = rows[[9, 5]]
    elif name.startswith("rolled by"):
        rows = np.roll(rows, int(name.rsplit(maxsplit=1)[-1]))
    elif name == "reversed":
        rows = rows[::-1]
    elif name == "halves exchanged":
        rows = np.roll(rows, ITEMS // 2)
    elif name == "every pair of neighbours swapped":
        rows = rows.reshape(-1, 2)[:, ::-1].ravel()
    else:
        rows = np.random.default_rng(1).permutation(ITEMS)
    return rows


ORDERS = (
    *("two rows swapped", "rolled by 1", "rolled by -1", "rolled by 17", "reversed", "permuted at random"),
    *("halves exchanged", "every pair of neighbours swapped"),
)


def rotate(array: np.ndarray, step: int = 1) -> None:
    rotation = np.linalg.qr(np.random.default_rng(2).normal(size=(WIDTH, WIDTH)))[0]
    array[::step] = array[::step] @ rotation.astype(np.float32)


def put(rows: Any, value: Any) -> Change:
    def change(array: np.ndarray) -> None:
        array[rows] = value

    return change


def scale(rows: Any, factor: float) -> Change:
    def change(array: np.ndarray) -> None:
        array[rows] *= np.float32(factor)

    return change


def near_copies(array: np.ndarray) -> None:
    noise = 1 + 1e-6 * np.random.default_rng(3).normal(size=array[::2].shape)
    array[::2] = (array[0] * noise).astype(np.float32)


def noise(array: np.ndarray) -> np.ndarray:
    return np.random.default_rng(4).normal(size=array.shape).astype(np.float32)


def last_bit(array: np.ndarray) -> None:
    array.view(np.uint32)[7, 3] ^= 1


def reorder(night: Night, step: str, file: str, name: str) -> None:
    night.array(step, file, lambda array: array[order(name)])


def change_array(night: Night, step: str, file: str, change: Change) -> None:
    night.array(step, file, change)


def copy_array(night: Night, step: str, source: str, target: str) -> None:
    night.array(step, target, lambda _: np.load(night.path(step, source)))


def cell(step: str, file: str, column: str, row: int, value: str) -> Callable[[Night], None]:
    def plant(night: Night) -> None:
        night.frame(
            step, file, lambda frame: frame.assign(**{column: [*frame[column][:row], value, *frame[column][row + 1 :]]})
        )

    return plant


def swap(step: str, column: str, *files: str) -> Callable[[Night], None]:
    """Exchange two values of a column, alike in all files."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        values = frame[column].to_numpy().copy()
        values[[5, 9]] = values[[9, 5]]
        return frame.assign(**{column: values})

    def plant(night: Night) -> None:
        for file in files:
            night.frame(step, file, change)

    return plant


def table(step: str, file: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Night], None]:
    return lambda night: night.frame(step, file, change)


def lines(frame: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    return frame.iloc[rows].reset_index(drop=True)


def both(*plants: Callable[[Night], None]) -> Callable[[Night], None]:
    def plant(night: Night) -> None:
        for one in plants:
            one(night)

    return plant


def stated(step: str, **facts: Any) -> Callable[[Night], None]:
    def plant(night: Night) -> None:
        night.manifest(step, lambda manifest: manifest.update(facts))

    return plant


def counted(step: str, name: str, by: int) -> Callable[[Night], None]:
    def plant(night: Night) -> None:
        night.manifest(step, lambda manifest: manifest["counts"].update({name: manifest["counts"][name] + by}))

    return plant


def from_another(step: str, source: str) -> Callable[[Night], None]:
    def plant(night: Night) -> None:
        night.manifest(step, lambda manifest: manifest["inputs"].update({night.prefix(source): "0" * 64}))

    return plant
