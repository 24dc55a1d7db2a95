"""Scores of several users or models brought to one scale."""

from __future__ import annotations

import numpy as np


def standard(scores: np.ndarray) -> np.ndarray:
    """Rows of mean 0 and deviation 1; a row of equal scores, of a user without a history, becomes zeros."""
    centred = scores - scores.mean(axis=1, keepdims=True)
    deviation = centred.std(axis=1, keepdims=True)
    np.divide(centred, deviation, out=centred, where=deviation > 0)
    return np.asarray(centred, dtype=np.float32)
