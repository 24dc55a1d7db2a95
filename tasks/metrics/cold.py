"""How well items are ranked that nobody took in training: among themselves, and against all others."""

from __future__ import annotations

import numpy as np

from tasks.data import ColdStart
from tasks.metrics.ranking import CUTOFFS, Evaluation, Scores, evaluate

LOWEST = np.finfo(np.float32).min


def evaluate_cold(scores: Scores, cold: ColdStart, *, cutoffs: tuple[int, ...] = CUTOFFS) -> dict[str, Evaluation]:
    """`{"all items": ..., "held-out items": ...}`: the catalogue that competes; positives are the held-out items' own.

    `scores` are those of a model fitted on `cold.data`. Against all items a model also has to tell a held-out item from
    a known one; among the held-out ones only from each other. What `evaluate` refuses is refused.
    """

    def among(users: np.ndarray) -> np.ndarray:
        """The same scores with every other item behind the held-out ones."""
        table = np.asarray(scores(users), dtype=np.float32)
        found = np.full_like(table, LOWEST)
        found[:, cold.items] = table[:, cold.items]
        return found

    whole = evaluate(scores, cold.data, "test", cutoffs=cutoffs)  # first: it checks the scores
    return {"all items": whole, "held-out items": evaluate(among, cold.data, "test", cutoffs=cutoffs)}
