"""MGCN: content purified by behaviour, smoothed in a view of its own, and fused by what each user prefers.

Yu, Tan, Lu, Bao, Multi-View Graph Convolutional Network for Multimedia Recommendation, MM 2023.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tasks.data import Dataset
from tasks.models.families.graph_content import chosen
from tasks.models.families.side_view import SideConfig, SideModel


class MGCN(SideModel):
    """Vector = LightGCN of ids + side; side = mean of what modalities share and what is special of each, gated."""

    name = "mgcn"

    class Config(SideConfig):
        """As of all models with a side view."""

    config: Config

    def __init__(self, config: Config, data: Dataset) -> None:
        super().__init__(config, data)
        size = config.embedding_size
        self.common = nn.Linear(size, size)
        self.query = nn.Linear(size, 1, bias=False)

    def both(self, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(n, d) of behaviour and of content, of the nodes `rows` (n,) or of all."""
        views = self.views(self.projected(), self.item_graphs())
        behaviour, *views = chosen([self.smoothed_nodes(), *views], rows)
        attention = torch.softmax(torch.cat([self.query(torch.tanh(self.common(view))) for view in views], 1), 1)
        shared = (attention.unsqueeze(2) * torch.stack(views, 1)).sum(1)
        special = self.preferred(behaviour, [view - shared for view in views])
        return behaviour, (shared + special.sum(0)) / (len(views) + 1)
