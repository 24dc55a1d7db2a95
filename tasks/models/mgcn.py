"""MGCN: content features gated by behaviour, fused by users' preferences (Yu et al. 2023).

Yu, Tan, Lu, Bao, Multi-View Graph Convolutional Network for Multimedia Recommendation, MM 2023.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tasks.data import Dataset
from tasks.models.families.gradient import GradientModel, Representations
from tasks.models.layers.content import Content
from tasks.models.layers.gather import gather_each
from tasks.models.layers.graph import BipartiteGraph, node_table
from tasks.models.layers.item_graph import KNNGraphs
from tasks.models.layers.side_view import SideOptions, SideView
from tasks.training import Batch


class MGCN(GradientModel):
    """Vector = LightGCN of ids + side; side = mean of what modalities share and what is special of each, gated."""

    name = "mgcn"
    uses_content = True
    NORMAL = ("nodes",)

    Config = SideOptions
    config: SideOptions

    def __init__(self, config: SideOptions, data: Dataset) -> None:
        super().__init__(config, data)
        self.content, size = Content(data, self.name, config), config.embedding_size
        self.nodes, self.graph = node_table(data, size), BipartiteGraph(data.train, config.layers)
        self.side = SideView(self.content, self.graph, config)
        self.item_graphs = KNNGraphs(self.content, config.neighbours, list)
        self.common, self.query = nn.Linear(size, size), nn.Linear(size, 1, bias=False)

    def both(self, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(n, d) of behaviour and of content, of the nodes `rows` (n,) or of all."""
        views = self.side.views(self.nodes, self.side.projections(self.content), self.item_graphs(self.content))
        behaviour, *views = gather_each([self.graph.smooth(self.nodes), *views], rows)
        attention = torch.softmax(torch.cat([self.query(torch.tanh(self.common(view))) for view in views], 1), 1)
        shared = (attention.unsqueeze(2) * torch.stack(views, 1)).sum(1)
        special = self.side.preferred(behaviour, [view - shared for view in views])
        return behaviour, (shared + special.sum(0)) / (len(views) + 1)

    def loss(self, batch: Batch) -> Tensor:
        """Pairwise loss, and that behaviour and content of one node agree."""
        return self.side.loss(self.both, self.nodes, batch)

    def representations(self) -> Representations:
        """The sum of both."""
        return Representations(*self.graph.split(torch.add(*self.both())))
