"""What the front end is given of a sound. Imports no torch: it runs in processes of its own.

A change here, or in `spectrum.py`, must change PREPROCESSING, and so every cache key.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.encoders.musicnn.config import FRAMES, HOP, RATE
from tasks.media.audio import decode_audio

LEAST = (FRAMES - 1) * HOP  # samples that give FRAMES spectra


@dataclass(frozen=True)
class Decoder:
    """A file to samples (n,) float32 at RATE, at least LEAST. Raises BadMedia."""

    bandwidth: float | None = None  # Hz

    def __call__(self, data: bytes) -> np.ndarray:
        """See the class. A shorter sound is repeated, as in the network's training (`pad_short` of its config.json)."""
        samples = decode_audio(data, RATE, self.bandwidth)
        return samples if len(samples) >= LEAST else np.resize(samples, LEAST)
