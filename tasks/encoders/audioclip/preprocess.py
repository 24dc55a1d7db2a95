"""Preprocessing of decoded media for the towers. Any change here must change PREPROCESSING, and so every cache key."""

from __future__ import annotations

import numpy as np
from PIL import Image

from tasks.encoders.pictures import crop_centre, standardise

PREPROCESSING = "p2"
RATE = 44_100
WINDOW, STRIDE = 2 * RATE, RATE  # samples
INT16 = 32_768.0  # the model was trained on samples at this scale
MEAN = np.array([0.48145466, 0.4578275, 0.40821073], dtype=np.float32)  # of CLIP's training images
DEVIATION = np.array([0.26862954, 0.26130258, 0.27577711], dtype=np.float32)


def crop(pixels: np.ndarray, side: int) -> np.ndarray:
    """Return (side, side, 3) uint8: the shorter side resized to `side` (bicubic), then the centre cropped."""
    return crop_centre(pixels, side, side, Image.Resampling.BICUBIC)


def normalise(pixels: np.ndarray) -> np.ndarray:
    """Return (B, 3, side, side) float32 of (B, side, side, 3) uint8, standardised with the constants of CLIP."""
    return standardise(pixels, MEAN, DEVIATION)


def windows(samples: np.ndarray) -> list[np.ndarray]:
    """Return windows (WINDOW,) float32 in int16 scale of (n,) samples with full scale 1; overlapping views.

    Windows have two seconds and a stride of one second; if the last does not end with the audio, one more does. Shorter
    audio is zero-padded on the right.
    """
    scaled = samples.astype(np.float32) * np.float32(INT16)
    missing = WINDOW - len(scaled)
    if missing > 0:
        scaled = np.pad(scaled, (0, missing))
    starts = list(range(0, len(scaled) - WINDOW + 1, STRIDE))
    if starts[-1] + WINDOW < len(scaled):
        starts.append(len(scaled) - WINDOW)
    return [scaled[start : start + WINDOW] for start in starts]
