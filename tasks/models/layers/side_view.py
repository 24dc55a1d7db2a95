"""A side view of content beside embeddings of behaviour, as in MGCN and SMORE."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor, nn

from tasks.models.layers.content import Content, ContentOptions, Projections
from tasks.models.layers.contrast import agreement
from tasks.models.layers.gather import pairwise
from tasks.models.layers.graph import BipartiteGraph, GraphOptions, layer0_norms
from tasks.models.layers.item_graph import ITEM_GRAPH_SPACE, ItemGraph, ItemGraphOptions
from tasks.models.layers.sparse import product, torch_sides
from tasks.training import Batch, GradientConfig, Real, Space


class SideOptions(ItemGraphOptions, GraphOptions, ContentOptions, GradientConfig):
    """Beside the options of the loop and the graphs."""

    contrast: NonNegativeFloat = Field(default=0.01, description="weight of the contrast of behaviour and content")
    temperature: PositiveFloat = Field(default=0.2, description="tau")


SIDE_SPACE: Space = {**ITEM_GRAPH_SPACE, "contrast": Real(1e-3, 1, log=True)}


class SideView(nn.Module):
    """Content views are gated by the ID embedding of the item and smoothed; users prefer them by gates of their own."""

    to_users: Tensor
    to_items: Tensor

    def __init__(self, content: Content, graph: BipartiteGraph, options: SideOptions, *, fused: int = 0) -> None:
        """`fused` views beside one of each modality."""
        super().__init__()
        size, views = options.embedding_size, len(content.widths) + fused
        self.options, self.graph_shape = options, graph.shape
        self.projections = Projections(content, size)
        self.gates = nn.ModuleList(nn.Linear(size, size) for _ in range(views))
        self.preferences = nn.ModuleList(nn.Linear(size, size) for _ in range(views))
        for name, side in zip(("to_users", "to_items"), torch_sides(graph.matrix, graph.shape[0]), strict=True):
            self.register_buffer(name, side, persistent=False)

    def views(self, own: Tensor, signals: Sequence[Tensor], graphs: Sequence[ItemGraph]) -> list[Tensor]:
        """(U + I, d) of each signal (I, d), gated by `own` (I, d): smoothed over its graph, and summed by users."""
        views = []
        for gate, signal, graph in zip(self.gates, signals, graphs, strict=True):
            items = graph.propagate(own * torch.sigmoid(gate(signal)), self.options.item_layers)
            views.append(torch.cat([product(self.to_users, self.to_items, items), items]))
        return views

    def preferred(self, behaviour: Tensor, views: Sequence[Tensor]) -> Tensor:
        """(views, n, d): each view (n, d) as far as behaviour (n, d) prefers it."""
        gates = [torch.sigmoid(layer(behaviour)) for layer in self.preferences]
        return torch.stack([gate * view for gate, view in zip(gates, views, strict=True)])

    def loss(self, both: Callable[[Tensor], tuple[Tensor, Tensor]], table: Tensor, batch: Batch) -> Tensor:
        """BPR of behaviour plus content, L2 of layer 0, and InfoNCE between behaviour and content of the same node.

        `both` gives the two (n, d) of node numbers (n,); `table` is layer 0, (U + I, d).
        """
        nodes = batch_nodes(batch, self.graph_shape[0])
        behaviour, side = both(nodes.rows)
        norms = layer0_norms(table, batch, self.graph_shape[0])
        ranking = pairwise(*nodes.split(behaviour + side), nodes.batch) + self.options.regularization * norms
        contrast = agreement(nodes.split(side), nodes.split(behaviour), nodes.batch, self.options.temperature)
        return ranking + self.options.contrast * contrast


@dataclass(frozen=True)
class BatchNodes:
    """Numbers `rows` (n,) of the nodes of a batch, each once, `users` of them users, who come first.

    `batch` is the batch by their places there. What a model does row by row it need not do for other nodes.
    """

    rows: Tensor
    users: int
    batch: Batch

    def split(self, nodes: Tensor) -> tuple[Tensor, Tensor]:
        """Those of users and those of items of rows (n, d)."""
        users, items = nodes.split([self.users, len(self.rows) - self.users])
        return users, items


def batch_nodes(batch: Batch, users: int) -> BatchNodes:
    """The nodes of a batch; node number `users` is the first item."""
    people, user = batch.users.unique(return_inverse=True)
    items, item = torch.cat([batch.positives, batch.negatives]).unique(return_inverse=True)
    positives, negatives = item.split([len(batch.positives), len(batch.negatives)])
    return BatchNodes(torch.cat([people, items + users]), len(people), Batch(user, positives, negatives))
