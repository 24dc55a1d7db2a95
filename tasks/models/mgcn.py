"""MGCN: content purified by behaviour, smoothed in a view of its own, and fused by what each user prefers.

Yu, Tan, Lu, Bao, Multi-View Graph Convolutional Network for Multimedia Recommendation, MM 2023.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor, nn

from tasks.data import Dataset
from tasks.models.parts.content import Projection
from tasks.models.parts.graph import normalised_part, product, torch_csr
from tasks.models.parts.graph_content import ItemGraphConfig, ItemGraphModel, agreement, chosen, pairwise
from tasks.training import Batch, Real, Space


class MGCN(ItemGraphModel):
    """Vector = LightGCN of ids + side; side = mean of what modalities share and what is special of each, gated.

    The loss adds InfoNCE between both terms of the sum, of the users and items of a batch.
    """

    name = "mgcn"
    SEARCH: ClassVar[Space] = {**ItemGraphModel.SEARCH, "contrast": Real(1e-3, 1, log=True)}

    class Config(ItemGraphConfig):
        """Beside the options of the loop and the graphs."""

        contrast: NonNegativeFloat = Field(default=0.01, description="weight of the contrast of behaviour and content")
        temperature: PositiveFloat = Field(default=0.2, description="tau")

    config: Config
    to_users: Tensor
    to_items: Tensor

    def __init__(self, config: Config, data: Dataset) -> None:
        super().__init__(config, data)
        size, widths = config.embedding_size, self.content.widths
        self.projections = nn.ModuleList(Projection(width, size) for width in widths)
        self.gates = nn.ModuleList(nn.Linear(size, size) for _ in widths)
        self.preferences = nn.ModuleList(nn.Linear(size, size) for _ in widths)
        self.common = nn.Linear(size, size)
        self.query = nn.Linear(size, 1, bias=False)
        between = normalised_part(data.train)  # (U, I)
        self.register_buffer("to_users", torch_csr(between), persistent=False)
        self.register_buffer("to_items", torch_csr(between.T.tocsr()), persistent=False)

    def views(self) -> list[Tensor]:
        """(U + I, d) by modality: purified content of items, smoothed over alike items, and its sums over a user's."""
        own, found = self.halves(self.nodes)[1], []
        layers = zip(self.projections, self.gates, self.content(), self.item_graphs(), strict=True)
        for projection, gate, rows, graph in layers:
            purified = own * torch.sigmoid(gate(projection(rows)))
            items = graph.propagate(purified, self.config.item_layers)
            found.append(torch.cat([product(self.to_users, self.to_items, items), items]))
        return found

    def both(self, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(n, d) of behaviour and of content, of the nodes `rows` (n,) or of all."""
        behaviour, *views = chosen([self.smoothed_nodes(), *self.views()], rows)
        attention = torch.softmax(torch.cat([self.query(torch.tanh(self.common(view))) for view in views], 1), 1)
        shared = (attention.unsqueeze(2) * torch.stack(views, 1)).sum(1)
        special = [
            torch.sigmoid(layer(behaviour)) * (view - shared)
            for layer, view in zip(self.preferences, views, strict=True)
        ]
        return behaviour, (shared + torch.stack(special).sum(0)) / (len(views) + 1)

    def loss(self, batch: Batch) -> Tensor:
        """Pairwise loss, and that behaviour and content of one node agree."""
        nodes = self.nodes_of(batch)
        behaviour, side = self.both(nodes.rows)
        ranking = pairwise(*nodes.halves(behaviour + side), nodes.batch) + self.penalty(batch)
        contrast = agreement(nodes.halves(side), nodes.halves(behaviour), nodes.batch, self.config.temperature)
        return ranking + self.config.contrast * contrast

    def final(self) -> tuple[Tensor, Tensor]:
        """The sum of both."""
        behaviour, side = self.both()
        return self.halves(behaviour + side)
