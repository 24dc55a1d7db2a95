"""Pictures as networks take them: resized, the centre cut out, standardised. Imports no torch."""

from __future__ import annotations

import numpy as np
from PIL import Image


def crop_centre(pixels: np.ndarray, side: int, shorter: int, resample: Image.Resampling) -> np.ndarray:
    """Return (side, side, 3) uint8: the shorter side resized to `shorter`, then the centre cropped."""
    height, width = pixels.shape[:2]
    least = min(height, width)
    whole_width, whole_height = shorter * width // least, shorter * height // least
    left, top = round((whole_width - side) / 2), round((whole_height - side) / 2)
    # only the cropped region is resized: an image of one pixel row would otherwise grow to gigabytes
    x, y = width / whole_width, height / whole_height
    box = (left * x, top * y, min((left + side) * x, width), min((top + side) * y, height))
    return np.asarray(Image.fromarray(pixels).resize((side, side), resample, box=box))


def standardise(pixels: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Return (B, 3, side, side) float32 of (B, side, side, 3) uint8; mean and deviation (3,) are of levels 0 to 1."""
    scaled = (pixels.astype(np.float32) / 255.0 - mean) / deviation
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))
