"""Seven convolutions of stride 2 from 128 x 128 pixels to one, and seven transposed ones back."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from tasks.encoders.rows.network import LARGEST, SMALLEST

SLOPE = 0.2  # of a leaky ReLU; with batch normalisation, else fourteen layers learn nothing in some starts
COLOURS, KERNEL = 3, 4  # kernels of twice the stride leave no chequered pattern (Odena, Dumoulin, Olah 2016)


class PictureNetwork(nn.Module):
    """Pictures (n, 3, 128, 128) of 0 to 1; `channels` of the seven convolutions, then `latent` numbers."""

    def __init__(self, channels: Sequence[int], latent: int, *, variational: bool) -> None:
        super().__init__()
        self.latent, self.variational = latent, variational
        down: list[nn.Module] = []
        for before, after in pairwise([COLOURS, *channels]):
            down += [nn.Conv2d(before, after, KERNEL, stride=2, padding=1), nn.BatchNorm2d(after), nn.LeakyReLU(SLOPE)]
        self.encoder = nn.Sequential(*down)
        self.mean = nn.Linear(channels[-1], latent)
        self.log_variance = nn.Linear(channels[-1], latent) if variational else None
        self.start = nn.Linear(latent, channels[-1])
        up: list[nn.Module] = []
        for before, after in pairwise([*reversed(channels), COLOURS]):
            up += [nn.BatchNorm2d(before), nn.LeakyReLU(SLOPE)]
            up += [nn.ConvTranspose2d(before, after, KERNEL, stride=2, padding=1)]
        self.decoder = nn.Sequential(*up)

    def encode(self, pictures: Tensor) -> tuple[Tensor, Tensor | None]:
        """Means (n, latent) and log variances (n, latent) of the latent vectors."""
        found = self.encoder(pictures).flatten(1)
        if self.log_variance is None:
            return self.mean(found), None
        return self.mean(found), self.log_variance(found).clamp(SMALLEST, LARGEST)

    def decode(self, latent: Tensor) -> Tensor:
        """Reconstructed pictures (n, 3, 128, 128) of 0 to 1."""
        return torch.sigmoid(self.decoder(self.start(latent)[:, :, None, None]))
