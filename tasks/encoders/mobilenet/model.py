"""MobileNetV2 without its classifier (Sandler, Howard, Zhu, Zhmoginov and Chen, 2018). Names are torchvision's."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tasks.encoders.mobilenet.config import FULL, MobileNetConfig


class MobileNetV2(nn.Module):
    """Pictures (B, 3, H, W) to (B, last): the mean of the last feature map over all places."""

    def __init__(self, config: MobileNetConfig = FULL) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = [convolution(3, config.first, stride=2)]
        channels = config.first
        for expansion, out, repetitions, stride in config.blocks:
            for place in range(repetitions):
                layers.append(InvertedResidual(channels, out, expansion, stride if place == 0 else 1))
                channels = out
        layers.append(convolution(channels, config.last, kernel=1))
        self.features = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, last)."""
        return torch.mean(self.features(x), dim=(2, 3))


class InvertedResidual(nn.Module):
    """Expand, filter each channel by itself, project linearly; plus the input where the shapes are equal."""

    def __init__(self, channels: int, out: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = channels * expansion
        widen = [convolution(channels, hidden, kernel=1)] if expansion != 1 else []
        self.conv = nn.Sequential(
            *widen,
            convolution(hidden, hidden, stride=stride, groups=hidden),
            nn.Conv2d(hidden, out, 1, bias=False),
            nn.BatchNorm2d(out),
        )
        self._residual = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, out, H / stride, W / stride)."""
        return x + self.conv(x) if self._residual else self.conv(x)


def convolution(channels: int, out: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution with batch norm and ReLU6."""
    return nn.Sequential(
        nn.Conv2d(channels, out, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU6(inplace=True),
    )
