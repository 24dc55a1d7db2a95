"""Complex frequency B-spline wavelets, a trainable transform of frames (Guzhov et al. 2021, ESResNe(X)t-fbsp, eq. 4).

psi(t) = sqrt(f_b) sinc(f_b t / m)^m exp(-j f_c t), one (m, f_b, f_c) per bin; with m = 0, f_b = 1, f_c = 0, 1, ... it
is the discrete Fourier transform. Letters of shapes: N bins, W samples of a frame.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

EPSILON = 1e-8


class FrequencyBSplines(nn.Module):
    """N trainable wavelets, normalised by the square root of the frame's length."""

    def __init__(self, bins: int) -> None:
        super().__init__()
        self.m = nn.Parameter(torch.zeros(bins))
        self.fb = nn.Parameter(torch.ones(bins))
        self.fc = nn.Parameter(torch.arange(bins, dtype=torch.get_default_dtype()))
        self.bias = nn.Parameter(torch.zeros(0))  # the released weights contain it; it is empty
        for parameter in (self.m, self.fb, self.fc):
            parameter.register_hook(by_largest)

    def weights(self, length: int) -> Tensor:
        """Return (N, W, 2) real and imaginary parts for frames of `length` samples."""
        t_W = torch.pi * torch.linspace(-1.0, 1.0, length, dtype=self.m.dtype, device=self.m.device) + EPSILON
        m_N, fb_N, fc_N = self.m[:, None], self.fb[:, None], self.fc[:, None]
        real, imaginary = power(sinc(fb_N * t_W / (m_N + EPSILON)), m_N)
        cosine, sine = torch.cos(fc_N * t_W), -torch.sin(fc_N * t_W)
        kernel = torch.stack((real * cosine - imaginary * sine, real * sine + imaginary * cosine), dim=-1)
        return fb_N.sqrt()[..., None] * kernel / math.sqrt(length)


def sinc(x: Tensor) -> Tensor:
    """Return sin(x) / x, 1 at 0."""
    return torch.where(x == 0, torch.ones_like(x), torch.sin(x) / x)


def power(base: Tensor, exponent: Tensor) -> tuple[Tensor, Tensor]:
    """Return real and imaginary part of base^exponent: a negative base raised to a fractional exponent is complex."""
    squared = base**2
    magnitude = squared ** (0.5 * exponent)
    phase = torch.atan2(torch.zeros_like(base), base) * exponent
    return magnitude * torch.cos(phase), magnitude * torch.sin(phase)


def by_largest(gradient: Tensor) -> Tensor:
    """Return a gradient divided by its largest entry, as in the training of the wavelets."""
    return gradient / (gradient.abs().max() + EPSILON)


def norm_loss(weights_NW2: Tensor) -> Tensor:
    """Return the mean squared distance of the wavelets' norms from 1."""
    norms = torch.linalg.vector_norm(weights_NW2, dim=(-2, -1))
    return ((norms - 1.0) ** 2).mean()
