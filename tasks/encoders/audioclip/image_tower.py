"""CLIP's ResNet (Radford et al. 2021): three convolutions first, anti-aliased strides, attention pooling last.

Letters of shapes: B batch, C channels, H and W pixels, L positions, D embedding.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

EXPANSION = 4


class Bottleneck(nn.Module):
    """Residual block with average pooling before a convolution of stride 1 instead of a strided convolution."""

    def __init__(self, channels: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.avgpool = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()
        self.conv3 = nn.Conv2d(planes, planes * EXPANSION, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(planes * EXPANSION)
        self.relu = nn.ReLU()
        self.downsample: nn.Module | None = None
        if stride > 1 or channels != planes * EXPANSION:
            # "-1" has no parameters; the names of the other two are those of the released weights
            layers = [
                ("-1", nn.AvgPool2d(stride)),
                ("0", nn.Conv2d(channels, planes * EXPANSION, 1, bias=False)),
                ("1", nn.BatchNorm2d(planes * EXPANSION)),
            ]
            self.downsample = nn.Sequential(OrderedDict(layers))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return (B, 4 planes, H / stride, W / stride)."""
        y = self.relu(self.bn1(self.conv1(x_BCHW)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(self.avgpool(y)))
        shortcut = x_BCHW if self.downsample is None else self.downsample(x_BCHW)
        return functional.relu(y + shortcut)


class AttentionPool(nn.Module):
    """Multi-head attention pooling whose query is the mean over all positions."""

    def __init__(self, side: int, channels: int, heads: int, embed_dim: int) -> None:
        super().__init__()
        self.positional_embedding = nn.Parameter(torch.randn(side**2 + 1, channels) / channels**0.5)
        self.k_proj = nn.Linear(channels, channels)
        self.q_proj = nn.Linear(channels, channels)
        self.v_proj = nn.Linear(channels, channels)
        self.c_proj = nn.Linear(channels, embed_dim)
        self.heads = heads

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, D)."""
        x_BLC = x_BCHW.flatten(2).transpose(1, 2)
        x_BLC = torch.cat([x_BLC.mean(1, keepdim=True), x_BLC], dim=1) + self.positional_embedding

        def heads(y_BLC: Tensor) -> Tensor:
            return y_BLC.unflatten(-1, (self.heads, -1)).transpose(1, 2)

        query_B1C = self.q_proj(x_BLC[:, 0])[:, None]  # of the mean alone, and as a flat product
        q, k, v = heads(query_B1C), heads(self.k_proj(x_BLC)), heads(self.v_proj(x_BLC))
        pooled = functional.scaled_dot_product_attention(q, k, v)  # (B, heads, 1, C / heads)
        vectors: Tensor = self.c_proj(pooled.transpose(1, 2).flatten(1))
        return vectors


class ImageTower(nn.Module):
    """Maps normalised pixels (B, 3, resolution, resolution) to (B, D)."""

    def __init__(self, layers: tuple[int, ...], width: int, heads: int, resolution: int, embed_dim: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width // 2, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width // 2)
        self.conv2 = nn.Conv2d(width // 2, width // 2, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width // 2)
        self.conv3 = nn.Conv2d(width // 2, width, 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        self.avgpool = nn.AvgPool2d(2)
        self.relu = nn.ReLU()
        channels = width
        for number, count in enumerate(layers, 1):
            planes = width * 2 ** (number - 1)
            blocks = [Bottleneck(channels, planes, 1 if number == 1 else 2)]
            blocks += [Bottleneck(planes * EXPANSION, planes, 1) for _ in range(count - 1)]
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
            channels = planes * EXPANSION
        self.attnpool = AttentionPool(resolution // 32, channels, heads, embed_dim)

    def forward(self, x_B3HW: Tensor) -> Tensor:
        """Return (B, D), not normalised."""
        x = self.relu(self.bn1(self.conv1(x_B3HW)))
        x = self.relu(self.bn2(self.conv2(x)))
        x = self.avgpool(self.relu(self.bn3(self.conv3(x))))
        for number in range(1, 5):
            x = self.get_submodule(f"layer{number}")(x)
        vectors: Tensor = self.attnpool(x)
        return vectors
