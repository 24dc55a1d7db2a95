"""Spectra of sound: the power of each wavelet, by kernels that are computed once, or by an FFT where it gives them."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from tasks.encoders.audioclip.audio_tower import BINS, KEPT, N_FFT, AudioTower, inside
from tasks.encoders.audioclip.fbsp import FrequencyBSplines

PERIOD = N_FFT - 1  # samples of the lowest frequency: N_FFT points from -pi to pi, both included


class Spectrum:
    """(B, T) samples at int16 scale to (B, BANDS, K, N) decibels, channels last."""

    def __init__(self, tower: AudioTower) -> None:
        self._tower = tower
        # without a floor, decibels of what is next to nothing are those of rounding, which an FFT does otherwise
        self._fourier = tower.floor is not None and is_fourier(tower.fbsp)

    @cached_property
    def _kernels(self) -> Tensor:
        return inside(self._tower.fbsp.weights(N_FFT))[:, :KEPT].transpose(1, 2).contiguous()

    def __call__(self, windows_BT: Tensor) -> Tensor:
        """Return the decibels."""
        frames = self._tower.frames(windows_BT)
        if self._fourier:
            spectrum = torch.fft.rfft(frames, n=PERIOD)[..., :KEPT]
            power = (spectrum.real**2).addcmul_(spectrum.imag, spectrum.imag).div_(N_FFT)
        else:
            power = (frames @ self._kernels[0]).square_()
            power += (frames @ self._kernels[1]).square_()
        return self._tower.decibels(power).contiguous(memory_format=torch.channels_last)


def is_fourier(wavelets: FrequencyBSplines) -> bool:
    """Whether the wavelets are those that training starts from: a discrete Fourier transform."""
    start = FrequencyBSplines(BINS).to(wavelets.m)
    return all(torch.equal(getattr(wavelets, name), getattr(start, name)) for name in ("m", "fb", "fc"))
