"""Brings samples to another rate, band-limited, by libsoxr: what `librosa.load` does by default.

The rates may be any numbers: the filter is interpolated where they have no common divisor, so a file of 44,099 Hz costs
no more than one of 48,000. Source: https://sourceforge.net/p/soxr; librosa 0.11, `core.audio.resample`.
"""

from __future__ import annotations

import math

import numpy as np
import soxr

QUALITY = "HQ"  # 20 bits, pass band up to .91 of half the lower rate: the default of librosa


def resample(samples: np.ndarray, rate: int, target: int, bandwidth: float | None = None) -> np.ndarray:
    """Return (ceil(n * target / rate),) float32 of (n,) float32 from `rate` to `target` Hz. Nothing is delayed.

    Above `bandwidth` (Hz) nothing is left, also of samples that have the rate `target` already. Raises ValueError for a
    bandwidth that the target rate cannot hold.
    """
    if bandwidth is None:
        return _convert(samples, rate, target, _length(len(samples), rate, target))
    if not 0 < bandwidth <= target / 2:
        raise ValueError(f"a bandwidth of {bandwidth:g} Hz, expected more than 0 and at most half of {target} Hz")
    if bandwidth == target / 2:
        return resample(samples, rate, target)
    low = 2 * bandwidth
    narrow = _convert(samples, rate, low, _length(len(samples), rate, low))
    return _convert(narrow, low, target, _length(len(samples), rate, target))


def _length(samples: int, rate: float, target: float) -> int:
    return math.ceil(samples * target / rate)


def _convert(samples: np.ndarray, rate: float, target: float, length: int) -> np.ndarray:
    """Resample to `length` samples: soxr rounds where librosa takes the next larger number, and fills with zeros."""
    if rate != target:
        samples = soxr.resample(samples, rate, target, quality=QUALITY)
    missing = length - len(samples)
    return np.pad(samples, (0, missing)) if missing > 0 else samples[:length]
