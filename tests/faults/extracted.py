"""Faults in what `extract` wrote; most are aligned again before the check."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from tests.faults.planting import (
    EMBEDDINGS,
    ORDERS,
    SOUND,
    Fault,
    both,
    change_array,
    counted,
    from_another,
    reorder,
    rotate,
    stated,
    swap,
    table,
)
from tests.faults.world import Night


def extractions() -> Iterator[Fault]:
    step = "extract-plot"
    for name in ORDERS:
        plant = partial(reorder, step=step, file="vectors.npy", name=name)
        yield Fault("extraction", f"rows {name}", plant, EMBEDDINGS, "vectors_are_of_their_medium", again=True)
    whole = partial(change_array, step=step, file="vectors.npy", change=rotate)
    second = partial(change_array, step=step, file="vectors.npy", change=partial(rotate, step=2))
    faults: dict[str, tuple[Callable[[Night], None], str, bool]] = {
        "of another encoder, all rows": (whole, "vectors_are_of_their_medium", True),
        "of another encoder, every second row": (second, "vectors_are_of_their_medium", True),
        "two ids swapped": (swap(step, "item_id", "items.csv"), "media_are_those_of_the_item", True),
        "two media swapped": (swap(step, "sha256", "items.csv"), "vectors_are_of_their_medium", True),
        "the other feature's vectors": (
            lambda night: night.array(
                step, "vectors.npy", lambda _: np.load(night.path("extract-tags", "vectors.npy"))
            ),
            "vectors_are_of_their_medium",
            True,
        ),
        "matrix: rows permuted": (
            partial(reorder, step="extract-sound", file="vectors.npy", name="permuted at random"),
            "vectors_are_of_their_medium",
            True,
        ),
        "an item forgotten": (
            both(
                table(step, "items.csv", lambda f: f[:-1]),
                partial(change_array, step=step, file="vectors.npy", change=lambda a: a[:-1]),
            ),
            "counts_are_as_stated",
            True,
        ),
        "column renamed": (
            table(step, "items.csv", lambda f: f.rename(columns={"item_id": "item"})),
            "BadInput",
            False,
        ),
        "manifest: another encoder than planned": (
            stated(step, encoder="evil@0000"),
            "encoder_is_that_of_the_plan",
            False,
        ),
        "manifest: made from another scan": (from_another(step, "scan"), "made_from_what_stands_there", False),
        "manifest: kept one more": (counted(step, "kept", 1), "counts_are_as_stated", False),
        "manifest: found one less": (counted(step, "found", -1), "counts_are_as_stated", False),
        "manifest: rejected one": (counted(step, "rejected", 1), "counts_are_as_stated", False),
        "matrix: made from another one": (from_another("extract-sound", SOUND), "made_from_what_stands_there", False),
    }
    for what, (plant, expectation, again) in faults.items():
        yield Fault("extraction", what, plant, EMBEDDINGS, expectation, again)
