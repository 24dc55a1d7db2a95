"""How the vectors of one modality are brought to a common scale before a model sees them."""

from __future__ import annotations

import numpy as np

from tasks.errors import BadInput


def standardised(features: np.ndarray, modality: str) -> np.ndarray:
    """Each column centred over the items, then one factor for the whole matrix so that the mean squared row norm is 1.

    Encoders differ in scale by three orders of magnitude, and raw rows of one encoder can be nearly parallel; the mean
    they share says nothing of an item and would drown what does. One factor, not one per column, leaves the geometry of
    the encoder alone. A row of zeros is an item that lacks the modality (`Dataset.features`): it takes no part in mean
    and factor and stays zero, the mean of the others. (items, d) -> (items, d) float32; BadInput when all rows are the
    same.
    """
    rows = features.astype(np.float64)
    present = rows.any(axis=1)
    rows[present] -= rows[present].mean(axis=0) if present.any() else 0.0
    scale = np.sqrt((rows**2).sum() / max(present.sum(), 1))
    if not np.isfinite(scale) or scale <= 1e-12 * max(1.0, float(np.abs(features).max())):
        raise BadInput(
            f"features of {modality} are the same for all {len(rows)} items, expected them to differ: check the encoder"
        )
    return (rows / scale).astype(np.float32)
