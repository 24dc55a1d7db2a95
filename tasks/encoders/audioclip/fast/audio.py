"""The sound tower (`audio_tower.py`) with convolutions that run in one pass."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from tasks.encoders.audioclip.audio_tower import Attention, AudioTower, Bottleneck
from tasks.encoders.audioclip.fast.convolution import Convolution

EXACT = {1: 9, 2: 9, 3: 1}  # stage -> its first blocks that stay in float32


class FastAudioTower:
    """Spectra (B, BANDS, K, N) to (B, D), not normalised.

    In bfloat16 stay in float32: the first convolution, attention, sums, and the blocks of EXACT. The lowest cosine to
    float32 of a window (random full-size weights, real sounds) is .9996 then, and .966 with all in bfloat16: decibels
    are far from zero, and what rounding does to them grows through the stages.
    """

    def __init__(self, tower: AudioTower, dtype: torch.dtype) -> None:
        self._first = Convolution(tower.conv1, tower.bn1, torch.float32, "relu")
        self._pool, self._fc = tower.maxpool, tower.fc
        self._stages = []
        for stage in range(1, 5):
            blocks = cast(nn.Sequential, tower.get_submodule(f"layer{stage}"))
            dtypes = [torch.float32 if place < EXACT.get(stage, 0) else dtype for place in range(len(blocks))]
            made = [FastBlock(cast(Bottleneck, block), kind) for block, kind in zip(blocks, dtypes, strict=True)]
            self._stages.append((made, FastAttention(cast(Attention, tower.get_submodule(f"att{stage}")))))
        self._last = FastAttention(tower.att5)

    def __call__(self, picture: Tensor) -> Tensor:
        """See the class."""
        x = self._pool(self._first(picture))
        for blocks, attention in self._stages:
            y = x
            for block in blocks:
                y = block(y)
            x = attention(x, y.shape[-2:]).mul_(y)
        pooled = functional.adaptive_avg_pool2d(x, 1) * self._last(x, (1, 1))
        vectors: Tensor = self._fc(pooled.flatten(1))
        return vectors


class FastBlock:
    """A residual block, whose sums stay in float32. It may take the memory of its input, except in a stage's first."""

    def __init__(self, block: Bottleneck, dtype: torch.dtype) -> None:
        self._dtype = dtype
        self._conv1 = Convolution(block.conv1, block.bn1, dtype, "relu")
        self._conv2 = Convolution(block.conv2, block.bn2, dtype, "relu")
        self._conv3 = Convolution(block.conv3, block.bn3, dtype, "relu" if dtype == torch.float32 else "none")
        self._shortcut = None
        if block.downsample is not None:  # in the first block of each stage
            conv, norm = block.downsample.children()
            self._shortcut = Convolution(cast(nn.Conv2d, conv), norm, dtype)

    def __call__(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H', W'), float32."""
        low = x.to(self._dtype)
        y = self._conv2(self._conv1(low))
        x = x if self._shortcut is None else self._shortcut(low)
        return self._conv3(y, x) if x.dtype == y.dtype == torch.float32 else (x.float() + self._conv3(y)).relu_()


class FastAttention:
    """Attention to the places of a stage's output, in float32."""

    def __init__(self, attention: Attention) -> None:
        self._depth = Convolution(attention.conv_depth, None, torch.float32)
        self._point = Convolution(attention.conv_point, attention.bn, torch.float32, "sigmoid")

    def __call__(self, x: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
        """(B, C, H, W) to (B, C', *size)."""
        return self._point(self._depth(functional.adaptive_max_pool2d(x, tuple(size))))
