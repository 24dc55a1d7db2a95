"""Channels for ids and for each modality, smoothed with one user table: what MMGCL and SLMRec share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from scipy import sparse
from torch import Tensor, nn

from tasks.data import Dataset
from tasks.models.families.graph_content import GraphConfig, GraphContentModel
from tasks.models.layers.content import Projection
from tasks.models.layers.graph import normalised_part, product, torch_pair


class ChannelModel(GraphContentModel):
    """A channel is users and one table of items. Smoothing is linear, so what users pass on is worked out once for all.

    `graph` is the part of the normalised graph from items to users, (U, I), and `back` its transpose: products with it
    are half of those with the whole.
    """

    def __init__(self, config: GraphConfig, data: Dataset) -> None:
        super().__init__(config, data)
        self.projections = nn.ModuleList(Projection(width, config.embedding_size) for width in self.content.widths)

    def edges(self, interactions: sparse.csr_matrix) -> tuple[Tensor, Tensor]:
        """(U, I), normalised on both sides, and its transpose."""
        return torch_pair(normalised_part(interactions))

    def tables(self) -> list[Tensor]:
        """(I, d) of ids, then of each modality."""
        own = self.halves(self.nodes)[1]
        return [own, *(layer(rows) for layer, rows in zip(self.projections, self.content(), strict=True))]

    def spread(self, graph: Tensor, back: Tensor, tables: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Users (U, d) and items (I, d) of each channel after light graph convolution."""
        users, layers, size = self.halves(self.nodes)[0], self.config.layers, self.config.embedding_size
        near, far = mean_of_steps(users, back, graph, layers)
        own, passed = mean_of_steps(torch.cat(list(tables), 1), graph, back, layers)
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
