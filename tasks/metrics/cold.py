"""How well cold items are ranked: among themselves, and among all items."""

from __future__ import annotations

import numpy as np

from tasks.data import ColdStart
from tasks.metrics.ranking import CUTOFFS, Evaluation, Scores, evaluate

LOWEST = np.finfo(np.float32).min


def evaluate_cold(scores: Scores, cold: ColdStart, *, cutoffs: tuple[int, ...] = CUTOFFS) -> dict[str, Evaluation]:
    """Return `{"all items": ..., "held-out items": ...}` by candidate set; all positives are held-out items.

    `scores` come from a model fitted on `cold.data`. Among all items, held-out items also compete with known items;
    among held-out items only with each other. Raises the errors of `evaluate`.
    """

    def among(users: np.ndarray) -> np.ndarray:
        """Return the same scores with all other items ranked behind the held-out ones."""
        table = np.asarray(scores(users), dtype=np.float32)
        held_out = np.full_like(table, LOWEST)
        held_out[:, cold.items] = table[:, cold.items]
        return held_out

    whole = evaluate(scores, cold.data, "test", cutoffs=cutoffs)  # first: it checks the scores
    return {"all items": whole, "held-out items": evaluate(among, cold.data, "test", cutoffs=cutoffs)}
