"""Samples to the logarithmic mel spectra that the network was trained on.

The training computed them by librosa 0.7: power, Slaney's mel scale and areas, frames centred with reflection at both
ends. torchaudio gives the same. The package rounds powers to float16 before it takes `log10(1 + 10000 x)`, which is
infinite for loud sounds; here all is float32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tasks.encoders.musicnn.config import BANDS, FRAMES, HOP, RATE, WINDOW
from tasks.encoders.torchaudio_import import import_torchaudio

SCALE = 10_000.0


def mel_front_end() -> Callable[[np.ndarray], list[np.ndarray]]:
    """What makes of samples (n,) at RATE, at least FRAMES - 1 hops, the windows of `cut`."""
    transforms: Any = import_torchaudio("torchaudio.transforms")
    mel: Callable[[Tensor], Tensor] = transforms.MelSpectrogram(
        RATE, n_fft=WINDOW, hop_length=HOP, n_mels=BANDS, norm="slaney", mel_scale="slaney", pad_mode="reflect"
    )

    @torch.inference_mode()
    def windows(samples: np.ndarray) -> list[np.ndarray]:
        spectra = torch.log10(1.0 + SCALE * mel(torch.from_numpy(np.ascontiguousarray(samples))))
        return cut(np.ascontiguousarray(spectra.T.numpy()))

    return windows


def cut(spectra: np.ndarray) -> list[np.ndarray]:
    """Return windows (FRAMES, BANDS) of (n, BANDS) side by side; one more ends with the sound, if none does."""
    starts = list(range(0, len(spectra) - FRAMES + 1, FRAMES))
    if starts[-1] + FRAMES < len(spectra):
        starts.append(len(spectra) - FRAMES)
    return [spectra[start : start + FRAMES] for start in starts]
