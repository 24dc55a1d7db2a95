"""How far up a sound reaches: the frequency above which there is nothing, not even noise.

An encoder that looks at decibels hears what a codec, a resampler or an earlier life at a low rate has taken away:
between quiet and nothing lie 80 dB. So the edge is a cliff of EDGE decibels down to VOID, which no microphone makes.
"""

from __future__ import annotations

import numpy as np

FRAME, FRAMES = 4_096, 200  # samples of a frame, and how many of them, evenly over the sound
BAND = 250.0  # Hz over which power is averaged
FADE = 4  # bands in which a low-pass filter falls: resamplers take a tenth of half the rate
EDGE = 30.0  # dB by which what is above is quieter
VOID = 1e-11  # mean power of a spectral line there, of full scale 1: 20 dB above the noise of 16 bits
LOWEST = 2_000.0  # Hz: the lowest rate that is read has nothing above


def upper_edge(samples: np.ndarray, rate: int) -> float:
    """Return the frequency in Hz up to which (n,) samples reach; half the rate if they do not end before."""
    power = _mean_power(samples)
    lines = np.arange(len(power)) * rate / FRAME
    bands = (lines // BAND).astype(int)
    level = np.bincount(bands, power) / np.bincount(bands)  # (bands,)
    above = np.maximum.accumulate(level[::-1])[::-1][
        FADE:
    ]  # of each band the loudest that is FADE bands higher, or more
    cliff = (level[: len(above)] > above * 10 ** (EDGE / 10)) & (above < VOID)
    cliff &= (np.arange(len(above)) + 1) * BAND >= LOWEST
    return float((np.flatnonzero(cliff)[-1] + 1) * BAND) if cliff.any() else rate / 2


def _mean_power(samples: np.ndarray) -> np.ndarray:
    """Return (FRAME // 2 + 1,): the mean power of each line over the frames, of a sine of amplitude 1 one."""
    window = np.hanning(FRAME).astype(np.float32)
    count = min(FRAMES, max(len(samples) // FRAME, 1))
    power = np.zeros(FRAME // 2 + 1)
    for start in np.linspace(0, max(len(samples) - FRAME, 0), count).astype(int):
        frame = samples[start : start + FRAME]
        power += np.abs(np.fft.rfft(np.pad(frame, (0, FRAME - len(frame))) * window)) ** 2
    return power / count / (window.sum() / 2) ** 2
