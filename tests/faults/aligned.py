"""Faults in what `align` wrote: matrices, and the tables of items and keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pandas as pd

from tests.faults.planting import (
    ALL_KEYS,
    EMBEDDINGS,
    KEYS,
    ORDERS,
    Change,
    Fault,
    both,
    cell,
    change_array,
    copy_array,
    last_bit,
    lines,
    near_copies,
    noise,
    order,
    put,
    reorder,
    rotate,
    scale,
    swap,
    table,
)
from tests.faults.world import IDS, WIDTH, Night

VALUES: dict[str, tuple[Change, str]] = {
    "of another encoder (rotated), all rows": (rotate, "rows_equal_extracted"),
    "of another encoder (rotated), every second row": (partial(rotate, step=2), "rows_equal_extracted"),
    "noise in its place": (noise, "rows_equal_extracted"),
    "one bit of one number": (last_bit, "rows_equal_extracted"),
    "all numbers doubled": (scale(slice(None), 2.0), "rows_equal_extracted"),
    "signs turned": (scale(slice(None), -1.0), "rows_equal_extracted"),
    "columns reversed": (lambda array: array[:, ::-1], "rows_equal_extracted"),
    "columns permuted": (lambda a: a[:, np.random.default_rng(5).permutation(WIDTH)], "rows_equal_extracted"),
    "each column sorted": (lambda array: np.sort(array, axis=0), "rows_equal_extracted"),
    "centred": (lambda array: array - array.mean(axis=0), "rows_equal_extracted"),
    "through float16 and back": (lambda a: a.astype(np.float16).astype(np.float32), "rows_equal_extracted"),
    "each row the mean of two": (lambda a: (a + np.roll(a, 1, axis=0)) / np.float32(2), "rows_equal_extracted"),
    "a column of ones": (put((slice(None), 3), 1.0), "rows_equal_extracted"),
    "half of the columns zero": (put((slice(None), slice(0, WIDTH // 2)), 0.0), "rows_equal_extracted"),
    "one row nearly zero (1e-30)": (scale(7, 1e-30), "norms_are_alike"),
    "one norm a thousand times": (scale(7, 1e3), "norms_are_alike"),
    "one norm 1e30 times": (scale(7, 1e30), "norms_are_alike"),
    "every second norm a thousand times": (scale(slice(None, None, 2), 1e3), "norms_are_alike"),
    "a row of zeros": (put(7, 0.0), "vectors_are_not_zero"),
    "a constant row": (put(7, 0.5), "vectors_are_not_constant"),
    "a NaN": (put((7, 3), np.nan), "vectors_are_finite"),
    "a row of NaN": (put(7, np.nan), "vectors_are_finite"),
    "an infinity": (put((7, 3), np.inf), "vectors_are_finite"),
    "all rows NaN": (put(slice(None), np.nan), "vectors_are_finite"),
    "half of the rows one but for noise": (near_copies, "vectors_are_apart"),
    "half of the rows the same": (lambda a: put(slice(None, None, 2), a[0])(a), "vectors_are_distinct"),
    "all rows the same": (lambda a: put(slice(None), a[0])(a), "vectors_vary"),
    "two items with one vector": (lambda a: put(7, a[9])(a), "vectors_are_distinct"),
    "as float16": (lambda array: array.astype(np.float16), "dtype_is_float32"),
    "as float64": (lambda array: array.astype(np.float64), "dtype_is_float32"),
    "as whole numbers": (lambda array: array.astype(np.int32), "dtype_is_float32"),
    "with a third dimension": (lambda array: array[:, :, None], "width_is_as_declared"),
    "of one dimension": (lambda array: array.ravel(), "width_is_as_declared"),
    "half as wide": (lambda array: array[:, : WIDTH // 2], "width_is_as_declared"),
    "twice as wide": (lambda array: np.hstack([array, array]), "width_is_as_declared"),
    "the last row missing": (lambda array: array[:-1], "rows_have_keys"),
    "a row in the middle missing": (lambda array: np.delete(array, 7, axis=0), "rows_have_keys"),
    "a row too many": (lambda array: np.vstack([array, array[:1] + 1]), "rows_have_keys"),
    "without rows": (lambda array: array[:0], "rows_have_keys"),
}


def aligned_matrices() -> Iterator[Fault]:
    for name in ORDERS:
        for feature in ("plot", "sound"):
            plant = partial(reorder, step="align", file=f"{feature}.npy", name=name)
            yield Fault("aligned matrix", f"{feature}: {name}", plant, EMBEDDINGS, "rows_equal_extracted")
    for name, (change, expectation) in VALUES.items():
        plant = partial(change_array, step="align", file="tags.npy", change=change)
        yield Fault("aligned matrix", name, plant, EMBEDDINGS, expectation)
    same = partial(copy_array, step="align", source="plot.npy", target="tags.npy")
    yield Fault("aligned matrix", "that of another feature", same, EMBEDDINGS, "features_differ")
    yield Fault("aligned matrix", "exchanged with another feature's", exchange, EMBEDDINGS, "rows_equal_extracted")


def exchange(night: Night) -> None:
    plot, tags = (np.load(night.path("align", f"{name}.npy")) for name in ("plot", "tags"))
    night.array("align", "plot.npy", lambda _: tags)
    night.array("align", "tags.npy", lambda _: plot)


def aligned_tables() -> Iterator[Fault]:
    rolled = partial(reorder, step="align", file="plot.npy", name="rolled by 1")
    faults: dict[str, tuple[Callable[[Night], None], str]] = {
        "keys: two lines swapped": (
            table("align", KEYS, lambda f: lines(f, order("two rows swapped"))),
            "order_is_that_of_items",
        ),
        "keys: two ids swapped": (swap("align", "item_id", KEYS), "order_is_that_of_items"),
        "keys: two media swapped": (swap("align", "sha256", KEYS), "media_are_those_extracted"),
        "keys: an id twice": (cell("align", KEYS, "item_id", 7, IDS[8]), "ids_are_unique"),
        "keys: a blank behind an id": (cell("align", KEYS, "item_id", 7, IDS[7] + " "), "items_are_complete"),
        "keys: an id in other case": (cell("align", KEYS, "item_id", 7, IDS[7].upper()), "items_are_complete"),
        "keys: an empty id": (cell("align", KEYS, "item_id", 7, ""), "items_are_complete"),
        "keys: column renamed": (
            table("align", KEYS, lambda f: f.rename(columns={"item_id": "itemID"})),
            "column_exists",
        ),
        "keys: no media": (table("align", KEYS, lambda f: f.drop(columns="sha256")), "column_exists"),
        "keys: one medium for all": (
            table("align", KEYS, lambda f: f.assign(sha256=f["sha256"][0])),
            "media_are_those_extracted",
        ),
        "keys: last line missing": (table("align", KEYS, lambda f: f[:-1]), "rows_have_keys"),
        "keys and matrix rolled together": (
            both(table("align", KEYS, lambda f: lines(f, order("rolled by 1"))), rolled),
            "order_is_that_of_items",
        ),
        "keys and matrix without three items": (
            both(
                table("align", KEYS, lambda f: f[:-3]),
                partial(change_array, step="align", file="plot.npy", change=lambda a: a[:-3]),
            ),
            "extracted_items_are_aligned",
        ),
        "keys and matrix with a stranger": (
            both(
                table("align", KEYS, lambda f: pd.concat([f, pd.DataFrame({"item_id": ["x"], "sha256": ["y"]})])),
                partial(change_array, step="align", file="plot.npy", change=lambda a: np.vstack([a, a[:1] + 1])),
            ),
            "items_are_complete",
        ),
        "two ids swapped in all tables alike": (
            swap("align", "item_id", "item_features.csv", *ALL_KEYS),
            "media_are_those_extracted",
        ),
        "item table: numbered from 1": (
            table("align", "item_features.csv", lambda f: f.assign(idx=f["idx"].astype(int) + 1)),
            "idx_is_row_number",
        ),
        "item table: two ids swapped": (swap("align", "item_id", "item_features.csv"), "order_is_that_of_items"),
        "item table: an empty id": (cell("align", "item_features.csv", "item_id", 7, ""), "ids_are_given"),
        "item table: an id twice": (cell("align", "item_features.csv", "item_id", 7, IDS[8]), "ids_are_unique"),
        "item table: last line missing": (table("align", "item_features.csv", lambda f: f[:-1]), "items_are_complete"),
        "item table: column renamed": (
            table("align", "item_features.csv", lambda f: f.rename(columns={"item_id": "item"})),
            "column_exists",
        ),
        "everything without rows": (
            both(
                *(table("align", name, lambda f: f[:0]) for name in ("item_features.csv", *ALL_KEYS)),
                *(
                    partial(change_array, step="align", file=f"{n}.npy", change=lambda a: a[:0])
                    for n in ("plot", "tags", "sound")
                ),
            ),
            "table_has_rows",
        ),
    }
    for what, (plant, expectation) in faults.items():
        yield Fault("aligned tables", what, plant, EMBEDDINGS, expectation)
