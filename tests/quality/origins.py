"""Where the vectors of a sound night come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from tasks.quality import Extracted

# Of a sound night before a first release.
ARTEFACTS: Any = {"current": {"align made from scan": True}, "counts": {"kept": (1, 1)}, "last": {}}


def sound_source(array: np.ndarray, keys: pd.DataFrame) -> Extracted:
    """What was extracted where `align` had nothing to leave out: the same rows, each the vector of its medium."""
    keys = keys.reindex(columns=["item_id", "sha256"]).astype("string").fillna("")
    return Extracted(
        origin="enc@1",
        vectors=array.copy(),
        keys=keys,
        kept=frozenset(keys["item_id"]),
        media=dict(zip(keys["item_id"], keys["sha256"], strict=True)),
        cached=array.copy(),
        has_cached=np.ones(len(keys), dtype=bool),
        encoder="enc@1",
        planned="enc@1",
        odd={},
        current={"extract made from scan": True},
        counts={"kept": (len(keys), len(keys))},
    )


def sound_sources(
    arrays: Mapping[str, np.ndarray], keys: Mapping[str, pd.DataFrame]
) -> dict[str, Callable[[], Extracted]]:
    """The same for each feature, read when it is needed."""

    def source(name: str) -> Callable[[], Extracted]:
        return lambda: sound_source(arrays[name], keys[name])

    return {name: source(name) for name in arrays}
