"""The picture tower (`image_tower.py`) with convolutions that run in one pass."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from tasks.encoders.audioclip.fast.convolution import Convolution
from tasks.encoders.audioclip.image_tower import Bottleneck, ImageTower


class FastImageTower:
    """Normalised pixels (B, 3, resolution, resolution) to (B, D), not normalised."""

    def __init__(self, tower: ImageTower, dtype: torch.dtype) -> None:
        pairs = [(tower.conv1, tower.bn1), (tower.conv2, tower.bn2), (tower.conv3, tower.bn3)]
        self._stem = [Convolution(conv, norm, dtype, "relu") for conv, norm in pairs]
        self._avgpool, self._attnpool, self._dtype = tower.avgpool, tower.attnpool.to(dtype), dtype
        stages = [cast(nn.Sequential, tower.get_submodule(f"layer{stage}")) for stage in range(1, 5)]
        self._blocks = [FastBlock(cast(Bottleneck, block), dtype) for stage in stages for block in stage]

    def __call__(self, x: Tensor) -> Tensor:
        """See the class."""
        x = x.to(self._dtype)
        for convolution in self._stem:
            x = convolution(x)
        x = self._avgpool(x)
        for block in self._blocks:
            x = block(x)
        vectors: Tensor = self._attnpool(x)
        return vectors


class FastBlock:
    """A residual block; it may take the memory of its input."""

    def __init__(self, block: Bottleneck, dtype: torch.dtype) -> None:
        self._conv1 = Convolution(block.conv1, block.bn1, dtype, "relu")
        self._conv2 = Convolution(block.conv2, block.bn2, dtype, "relu")
        self._conv3 = Convolution(block.conv3, block.bn3, dtype, "relu")
        self._avgpool, self._shortcut = block.avgpool, None
        if block.downsample is not None:
            self._before, conv, norm = block.downsample.children()
            self._shortcut = Convolution(cast(nn.Conv2d, conv), norm, dtype)

    def __call__(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H', W')."""
        y = self._avgpool(self._conv2(self._conv1(x)))
        return self._conv3(y, x if self._shortcut is None else self._shortcut(self._before(x)))
