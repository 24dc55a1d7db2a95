"""Features of a modality, and scores of several users or models, brought to one scale."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tasks.data import Dataset
from tasks.errors import BadInput

BLOCK = 64  # rows converted to float64 at once


def standardise_features(features: np.ndarray, modality: str) -> np.ndarray:
    """Centre each column over the items, then scale the whole matrix so that the mean squared row norm is 1.

    Encoders differ in scale by three orders of magnitude, and raw rows of one encoder can be nearly parallel: their
    common mean carries no information about items and would dominate. One factor instead of one per column preserves
    the geometry of the encoder. A row of zeros is an item that lacks the modality (`Dataset.features`): it is ignored
    for mean and factor and stays zero, the mean of the others. (items, d) -> (items, d) float32; raises BadInput if all
    rows are equal.
    """
    missing = np.asarray(~features.any(axis=1))
    present = len(features) - missing.sum()
    mean = features.sum(axis=0, dtype=np.float64) / max(present, 1)
    result, squares = np.empty(features.shape, dtype=np.float32), 0.0
    exact = np.empty((BLOCK, features.shape[1]))  # float64
    for start in range(0, len(features), BLOCK):
        block = slice(start, start + BLOCK)
        rows = np.subtract(features[block], mean, out=exact[: len(features) - start])
        rows[missing[block]] = 0
        result[block] = rows
        squares += float(np.vdot(rows, rows))
    scale = np.sqrt(squares / max(present, 1))
    if not np.isfinite(scale) or scale <= 1e-12 * max(1.0, float(features.max()), -float(features.min())):
        raise BadInput(
            f"features of {modality} are the same for all {len(result)} items, expected them to differ: check the "
            "encoder"
        )
    result /= np.float32(scale)
    return result


def weight_features(
    data: Dataset, content: float | Mapping[str, float], model: str
) -> dict[str, tuple[np.ndarray, float]]:
    """Modality -> standardised features (items, width) and their weight: one for all, or each by its name.

    Raises BadInput if `content` names other modalities than those of `data`.
    """
    given = content if isinstance(content, Mapping) else dict.fromkeys(data.features, content)
    if set(given) != set(data.features):
        raise BadInput(
            f"content of {model} names {sorted(given)}, expected the modalities of {data.name}: {sorted(data.features)}"
        )
    return {name: (standardise_features(data.features[name], name), given[name]) for name in sorted(given)}


def standardise_scores(scores: np.ndarray) -> np.ndarray:
    """Rows of mean 0 and deviation 1; a row of equal scores, of a user without a history, becomes zeros."""
    centred = scores - scores.mean(axis=1, keepdims=True)
    deviation = centred.std(axis=1, keepdims=True)
    np.divide(centred, deviation, out=centred, where=deviation > 0)
    return np.asarray(centred, dtype=np.float32)
