"""ESResNeXt-fbsp (Guzhov et al. 2021): a wavelet spectrogram and a ResNeXt with attention to frequency and time.

Letters of shapes: B clips, C channels of a clip, T samples, N frames, K bins of a band, F features.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.signal.windows import general_cosine

from tasks.encoders.audioclip.fbsp import FrequencyBSplines

EXPANSION = 4
N_FFT, WINDOW, HOP = 2048, 1654, 561
BINS = N_FFT // 2 + 1
BLACKMAN_HARRIS = (0.35875, 0.48829, 0.14128, 0.01168)  # minimum four-term window (Harris 1978, table I)
BANDS = 3  # used like the colour channels of an image
KEPT = BINS // BANDS * BANDS  # bins that make whole bands
SILENCE = 1e-18  # its power: -180 dB


class Bottleneck(nn.Module):
    """Residual block with grouped convolution (ResNeXt, Xie et al. 2017), twice as wide inside as that of ResNet."""

    def __init__(self, channels: int, planes: int, stride: int, groups: int) -> None:
        super().__init__()
        width = 2 * planes
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, planes * EXPANSION, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(planes * EXPANSION)
        self.relu = nn.ReLU()
        self.downsample: nn.Module | None = None
        if stride > 1 or channels != planes * EXPANSION:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, planes * EXPANSION, 1, stride=stride, bias=False),
                nn.BatchNorm2d(planes * EXPANSION),
            )

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 4 planes, H / stride, W / stride)."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return functional.relu(y + (x if self.downsample is None else self.downsample(x)))


class Attention(nn.Module):
    """Attention weights in (0, 1) for the output of a stage, from its input: along frequency, time, or both."""

    def __init__(self, channels: int, out: int, kernel: tuple[int, int]) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2)
        self.conv_depth = nn.Conv2d(channels, channels, kernel, padding=padding, groups=channels)
        self.conv_point = nn.Conv2d(channels, out, 1)
        self.bn = nn.BatchNorm2d(out)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """Return (B, out, *size)."""
        x = functional.adaptive_max_pool2d(x, size)
        return torch.sigmoid(self.bn(self.conv_point(self.conv_depth(x))))


class AudioTower(nn.Module):
    """Maps samples (B, C, T) at 44.1 kHz and int16 scale to (B, D). Channels are summed, so mix to mono first."""

    KERNELS: ClassVar[tuple[tuple[int, int], ...]] = ((3, 1), (1, 5), (3, 1), (1, 5), (3, 5))
    window: Tensor

    def __init__(
        self, layers: tuple[int, ...], width: int, groups: int, embed_dim: int, floor: float | None = None
    ) -> None:
        super().__init__()
        self.floor = floor  # decibels
        window = general_cosine(
            WINDOW, a=BLACKMAN_HARRIS, sym=False, dtype=torch.float64
        )  # SciPy takes seconds to import
        self.register_buffer("window", window.to(torch.get_default_dtype()))
        self.fbsp = FrequencyBSplines(BINS)
        self.conv1 = nn.Conv2d(BANDS, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        channels = width
        for number, count in enumerate(layers, 1):
            planes = width * 2 ** (number - 1)
            blocks = [Bottleneck(channels, planes, 1 if number == 1 else 2, groups)]
            blocks += [Bottleneck(planes * EXPANSION, planes, 1, groups) for _ in range(count - 1)]
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
            self.add_module(f"att{number}", Attention(channels, planes * EXPANSION, self.KERNELS[number - 1]))
            channels = planes * EXPANSION
        self.att5 = Attention(channels, channels, self.KERNELS[4])
        self.fc = nn.Linear(channels, embed_dim)

    def frames(self, x_BCT: Tensor) -> Tensor:
        """Return (B, C, N, WINDOW) windowed frames of samples scaled to [-1, 1], zero-padded on both sides."""
        x_BCT = (x_BCT + 32768.0) * (2.0 / 65535.0) - 1.0
        length = x_BCT.shape[-1]
        count = 1 if length <= WINDOW else 1 + math.ceil((length - WINDOW) / HOP)
        missing = (count - 1) * HOP + WINDOW - length
        x_BCT = functional.pad(x_BCT, (missing // 2, missing - missing // 2))
        return x_BCT.unfold(-1, WINDOW, HOP) * self.window

    def picture(self, x_BCT: Tensor, kernels: Tensor) -> Tensor:
        """Return (B, C, BANDS, K, N) decibels of each wavelet's power, by frequency band; drops the last bins."""
        frames = self.frames(x_BCT).detach()
        power = (
            functional.linear(frames, kernels[0]) ** 2 + functional.linear(frames, kernels[1]) ** 2
        )  # (B, C, N, BINS)
        return self.decibels(power[..., :KEPT])

    def decibels(self, power: Tensor) -> Tensor:
        """Return (..., BANDS, K, N) decibels by frequency band of powers (..., N, KEPT), at least the floor."""
        power = power.masked_fill(power <= 0, SILENCE)
        decibels = 10.0 * torch.log10(power)
        decibels = decibels if self.floor is None else decibels.clamp_min(self.floor)
        return decibels.transpose(-1, -2).unflatten(-2, (BANDS, KEPT // BANDS))

    def trunk(self, picture: Tensor) -> Tensor:
        """Return features (B, F) of spectrograms (B, BANDS, K, N)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(picture))))
        for number in range(1, 5):
            y = self.get_submodule(f"layer{number}")(x)
            x = y * self.get_submodule(f"att{number}")(x, y.shape[-2:])
        pooled = functional.adaptive_avg_pool2d(x, 1) * self.att5(x, (1, 1))
        return pooled.flatten(1)

    def forward(self, x_BCT: Tensor, kernels: Tensor | None = None) -> Tensor:
        """Return (B, D), not normalised; channels are processed separately and summed. `kernels`: precomputed ones."""
        return self.of_pictures(self.picture(x_BCT, inside(self.fbsp.weights(N_FFT)) if kernels is None else kernels))

    def of_pictures(self, pictures: Tensor) -> Tensor:
        """Return (B, D), not normalised, of spectrograms (B, C, BANDS, K, N)."""
        clips, channels = pictures.shape[:2]
        features = self.trunk(pictures.flatten(0, 1)).unflatten(0, (clips, channels)).sum(1)
        vectors: Tensor = self.fc(features)
        return vectors


def inside(weights: Tensor) -> Tensor:
    """Return (2, BINS, WINDOW) real and imaginary kernels: the wavelets (BINS, N_FFT, 2) without the zero padding."""
    before = (N_FFT - WINDOW) // 2
    return weights[:, before : before + WINDOW].permute(2, 0, 1).contiguous()
