"""The networks of the autoencoder and of the VAE: fully connected, mirrored, ReLU between the layers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

SMALLEST, LARGEST = -10.0, 10.0  # of log variances: exp of more overflows in the first steps of a bad start


class RowNetwork(nn.Module):
    """inputs - hidden - latent - reversed hidden - inputs; a variational one has a second head for log variances."""

    def __init__(self, inputs: int, hidden: Sequence[int], latent: int, *, variational: bool) -> None:
        super().__init__()
        self.latent, self.variational = latent, variational
        self.encoder = _layers([inputs, *hidden])
        last = hidden[-1] if hidden else inputs
        self.mean = nn.Linear(last, latent)
        self.log_variance = nn.Linear(last, latent) if variational else None
        self.decoder = _layers([latent, *reversed(hidden)])
        self.output = nn.Linear(hidden[0] if hidden else latent, inputs)

    def encode(self, rows: Tensor) -> tuple[Tensor, Tensor | None]:
        """Means (n, latent) and log variances (n, latent) of the latent vectors of `rows` (n, inputs)."""
        found = self.encoder(rows)
        if self.log_variance is None:
            return self.mean(found), None
        return self.mean(found), self.log_variance(found).clamp(SMALLEST, LARGEST)

    def decode(self, latent: Tensor) -> Tensor:
        """Reconstructed rows (n, inputs)."""
        rows: Tensor = self.output(self.decoder(latent))
        return rows


def _layers(widths: Sequence[int]) -> nn.Sequential:
    parts: list[nn.Module] = []
    for before, after in pairwise(widths):
        parts += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*parts)


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """(n,) divergence of N(mean, variance) from N(0, 1), summed over dimensions (Kingma, Welling 2013, appendix B)."""
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=1)


def squared_error(rows: Tensor, reconstructed: Tensor) -> Tensor:
    """(n,) half of the squared error, summed over columns: a Gaussian's negative log likelihood of variance 1."""
    return 0.5 * ((rows - reconstructed) ** 2).flatten(1).sum(dim=1)


def sample(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """Latent vectors by the reparametrisation (ibid., 2.4); `noise` (n, latent) is standard normal."""
    return mean + torch.exp(0.5 * log_variance) * noise
