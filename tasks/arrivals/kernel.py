"""How similar two items are in content: a weighted sum of one kernel per modality.

k(a, b) = 1 + sum_m w_m exp(g (cos_m(a, b) - 1)), with sum_m w_m = 1 and cos_m the cosine of the rows of modality m,
centred over the known items. The exponential of a cosine is a Gaussian kernel on the sphere, and a sum of kernels is a
kernel (Rasmussen, Williams, Gaussian Processes for Machine Learning, 2006, section 4.2.4). With a small sharpness g it
is nearly linear, so that the map is a ridge regression; with a large one only the nearest items count, as in kNN. The
constant 1 lets the map learn a mean. A modality that an item lacks has the cosine 0 with all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tasks.errors import BadInput

FLAT = 1e-6  # a centred row shorter than this share of the mean length is rounding


@dataclass(frozen=True)
class Kernel:
    """`weights`: modality -> its share, not negative and with the sum 1; `sharpness`: g."""

    weights: Mapping[str, float]
    sharpness: float

    def between(self, rows: Mapping[str, np.ndarray], columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return (n, m) float32 of n and m items by their `directions`."""
        return self.of(cosines_between(rows, columns))

    def of(self, cosines: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return (n, m) float32 from the cosines (n, m) of each modality."""
        total = np.ones_like(next(iter(cosines.values())))
        for modality, weight in self.weights.items():
            if weight:
                total += np.float32(weight) * np.exp(np.float32(self.sharpness) * (cosines[modality] - 1))
        return total


def cosines_between(rows: Mapping[str, np.ndarray], columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return modality -> (n, m) float32 of n and m items by their `directions`."""
    return {modality: rows[modality] @ columns[modality].T for modality in rows}


def directions(
    known: Mapping[str, np.ndarray], arrivals: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the features of both, (K, width) and (A, width) by modality, centred over the known items, of length 1.

    A row of zeros is an item without the modality, and stays one. Raises BadInput where the two do not have the same
    modalities with the same widths, where there is none, and for values that are not finite.
    """
    widths = [{name: rows.shape[1] for name, rows in sorted(side.items())} for side in (known, arrivals)]
    if widths[0] != widths[1] or not widths[0]:
        raise BadInput(
            f"arrivals with the features {widths[1]} found for known items with {widths[0]}, expected the same of both "
            "and at least one: only content says who may like an item that nobody has taken"
        )
    both: tuple[dict[str, np.ndarray], dict[str, np.ndarray]] = ({}, {})
    for name in widths[0]:
        mean, scale = _centre(known[name])
        for side, rows in zip(both, (known[name], arrivals[name]), strict=True):
            if not np.isfinite(rows).all():
                raise BadInput(f"features of {name} that are not finite found, expected finite ones: check the encoder")
            side[name] = _unit_rows(rows, mean, scale)
    return both


def _centre(rows: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the mean (width,) of the rows that are not zero, and their mean length."""
    present = rows[rows.any(axis=1)].astype(np.float64)
    if not len(present):
        return np.zeros(rows.shape[1]), 0.0
    return present.mean(axis=0), float(np.linalg.norm(present, axis=1).mean())


def _unit_rows(rows: np.ndarray, mean: np.ndarray, scale: float) -> np.ndarray:
    centred = np.where(rows.any(axis=1, keepdims=True), rows - mean, 0.0)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    flat = lengths <= FLAT * scale
    return np.where(flat, 0.0, centred / np.where(flat, 1.0, lengths)).astype(np.float32)
