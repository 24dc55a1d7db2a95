"""Models whose vectors are those of behaviour plus those of a side view of content: what MGCN and SMORE share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor, nn

from tasks.data import Dataset
from tasks.models.families.graph_content import ItemGraphConfig, ItemGraphModel, agreement, pairwise
from tasks.models.layers.content import Projection
from tasks.models.layers.graph import product, torch_sides
from tasks.models.layers.item_graph import ItemGraph
from tasks.training import Batch, Real, Space


class SideConfig(ItemGraphConfig):
    """Beside the options of the loop and the graphs."""

    contrast: NonNegativeFloat = Field(default=0.01, description="weight of the contrast of behaviour and content")
    temperature: PositiveFloat = Field(default=0.2, description="tau")


class SideModel(ItemGraphModel):
    """`views` see content through gates that behaviour opens; subclasses weigh them in `both`.

    The loss adds InfoNCE between both terms of the sum, of the users and items of a batch.
    """

    SEARCH: ClassVar[Space] = {**ItemGraphModel.SEARCH, "contrast": Real(1e-3, 1, log=True)}
    config: SideConfig
    to_users: Tensor
    to_items: Tensor

    def __init__(self, config: SideConfig, data: Dataset, *, fused: int = 0) -> None:
        """`fused` views beside one of each modality."""
        super().__init__(config, data)
        size, widths = config.embedding_size, self.content.widths
        self.projections = nn.ModuleList(Projection(width, size) for width in widths)
        self.gates = nn.ModuleList(nn.Linear(size, size) for _ in range(len(widths) + fused))
        self.preferences = nn.ModuleList(nn.Linear(size, size) for _ in range(len(widths) + fused))
        for name, side in zip(("to_users", "to_items"), torch_sides(self.graph, data.train.shape[0]), strict=True):
            self.register_buffer(name, side, persistent=False)

    def projected(self) -> list[Tensor]:
        """(I, d) of each modality."""
        return [layer(rows) for layer, rows in zip(self.projections, self.content(), strict=True)]

    def views(self, signals: Sequence[Tensor], graphs: Sequence[ItemGraph]) -> list[Tensor]:
        """(U + I, d) of each signal (I, d): purified by behaviour, smoothed over its graph, and summed by users."""
        own, found = self.halves(self.nodes)[1], []
        for gate, signal, graph in zip(self.gates, signals, graphs, strict=True):
            items = graph.propagate(own * torch.sigmoid(gate(signal)), self.config.item_layers)
            found.append(torch.cat([product(self.to_users, self.to_items, items), items]))
        return found

    def preferred(self, behaviour: Tensor, views: Sequence[Tensor]) -> Tensor:
        """(views, n, d): each view (n, d) as far as behaviour (n, d) prefers it."""
        gates = [torch.sigmoid(layer(behaviour)) for layer in self.preferences]
        return torch.stack([gate * view for gate, view in zip(gates, views, strict=True)])

    def both(self, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(n, d) of behaviour and of content, of the nodes `rows` (n,) or of all."""
        raise NotImplementedError

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
