"""Channels for ids and for each modality, smoothed with one user table, as in MMGCL and SLMRec."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from scipy import sparse
from torch import Tensor, nn

from tasks.models.layers.graph import normalise_part
from tasks.models.layers.sparse import product, torch_pair


class ChannelGraph(nn.Module):
    """A channel is users and one table of items. Smoothing is linear, so what users pass on is worked out once for all.

    `part` is the part of the normalised graph from items to users, (U, I), and `back` its transpose: products with it
    are half of those with the whole.
    """

    part: Tensor
    back: Tensor

    def __init__(self, interactions: sparse.csr_matrix, layers: int) -> None:
        super().__init__()
        self.layers = layers
        for name, side in zip(("part", "back"), torch_pair(normalise_part(interactions)), strict=True):
            self.register_buffer(name, side, persistent=False)

    def split(self, nodes: Tensor) -> tuple[Tensor, Tensor]:
        """Rows of users (U, d) and rows of items (I, d)."""
        users, items = nodes.split(list(self.part.shape))
        return users, items

    def forward(self, nodes: Tensor, tables: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Users (U, d) and items (I, d) of each channel of `tables` (I, d), with the users of `nodes` (U + I, d)."""
        users = self.split(nodes)[0]
        near, far = mean_of_steps(users, self.back, self.part, self.layers)
        own, passed = mean_of_steps(torch.cat(list(tables), 1), self.part, self.back, self.layers)
        size = users.shape[1]
        return [near + part for part in passed.split(size, 1)], [far + part for part in own.split(size, 1)]


def mean_of_steps(x: Tensor, there: Tensor, back: Tensor, layers: int) -> tuple[Tensor, Tensor]:
    """Means over layers of what is where `x` (m, d) began and of what is on the other side (n, d).

    Layer k holds x after k steps there and back; the other side counts as zeros in the even ones. With the same of the
    other side's table this is `propagate`.
    """
    sides, power = [[x], []], x
    for layer in range(layers):
        power = product(back, there, power) if layer % 2 else product(there, back, power)
        sides[(layer + 1) % 2].append(power)
    here, beyond = (torch.stack(parts).sum(0) / (layers + 1) for parts in sides)
    return here, beyond
