"""musicnn (Pons and Serra, "musicnn: pre-trained convolutional neural networks for music audio tagging", 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tasks.encoders.musicnn.config import BANDS, TAGS, MusicnnConfig

EPSILON = 1e-3  # of TensorFlow's batch norm
TIMBRAL = (int(0.4 * BANDS), int(0.7 * BANDS))  # bands that a filter of seven frames sees
TEMPORAL = (128, 64, 32)  # frames that a filter of one band sees


class Musicnn(nn.Module):
    """Windows (B, frames, BANDS) of mel spectra to (B, width): units before the tags, or probabilities of the tags."""

    def __init__(self, config: MusicnnConfig) -> None:
        super().__init__()
        self.config = config
        self.norm = nn.BatchNorm2d(1, EPSILON)
        self.front = nn.ModuleList(
            [Front(config.timbral, 7, bands) for bands in TIMBRAL]
            + [Front(config.temporal, frames, 1) for frames in TEMPORAL]
        )
        front = len(TIMBRAL) * config.timbral + len(TEMPORAL) * config.temporal
        self.middle = nn.ModuleList(
            Middle(channels, config.middle) for channels in (front, config.middle, config.middle)
        )
        pooled = 2 * (front + 3 * config.middle)
        self.pool_norm = nn.BatchNorm1d(pooled, EPSILON)
        self.dense = nn.Linear(pooled, config.units)
        self.dense_norm = nn.BatchNorm1d(config.units, EPSILON)
        self.tags = nn.Linear(config.units, len(TAGS))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, width)."""
        x = self.norm(x[:, None])
        front = torch.cat([part(x) for part in self.front], dim=1)  # (B, channels, frames)
        first = self.middle[0](front)
        second = first + self.middle[1](first)
        third = second + self.middle[2](second)
        every = torch.cat([front, first, second, third], dim=1)
        pooled = torch.stack([every.amax(dim=2), every.mean(dim=2)], dim=2).flatten(1)
        units = self.dense_norm(torch.relu(self.dense(self.pool_norm(pooled))))
        return units if self.config.output == "units" else torch.sigmoid(self.tags(units))


class Front(nn.Module):
    """A filter over frames and bands; of its rectified and normed output the largest value of all bands is taken.

    A norm rises or falls with a channel, and so does what rectifies it: so the largest is that of the channel's largest
    or, where the norm falls, smallest value, and neither is computed for all the others.
    """

    def __init__(self, channels: int, frames: int, bands: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, channels, (frames, bands))
        self.norm = nn.BatchNorm1d(channels, EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, channels, frames) of (B, 1, frames, BANDS)."""
        frames = self.conv.kernel_size[0]
        padded = functional.pad(x, (0, 0, (frames - 1) // 2, frames // 2))  # "same", as TensorFlow has it
        sign = torch.where(self.norm.weight < 0, -1.0, 1.0)
        kernel, bias = self.conv.weight * sign[:, None, None, None], torch.mul(self.conv.bias, sign)  # type: ignore[arg-type]
        found = functional.conv2d(padded.to(memory_format=torch.channels_last), kernel, bias)
        largest = found.permute(0, 2, 3, 1).amax(dim=2)  # (B, frames, channels): channels are last in memory, too
        return self.norm(torch.relu(largest * sign).transpose(1, 2))


class Middle(nn.Module):
    """A filter over seven frames of all channels: (B, channels, frames)."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, out, 7, padding=3)
        self.norm = nn.BatchNorm1d(out, EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, out, frames)."""
        return self.norm(torch.relu(self.conv(x)))
