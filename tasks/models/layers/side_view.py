"""A side view of content beside embeddings of behaviour, as in MGCN and SMORE."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor, nn

from tasks.models.layers.content import Content, ContentOptions, Projections
from tasks.models.layers.gather import agreement, pairwise
from tasks.models.layers.graph import BipartiteGraph, GraphOptions, layer0_norms
from tasks.models.layers.item_graph import ItemGraph, ItemGraphOptions
from tasks.models.layers.sparse import product, torch_sides
from tasks.training import Batch, GradientConfig, Real


class SideOptions(ItemGraphOptions, GraphOptions, ContentOptions, GradientConfig):
    """Beside the options of the loop and the graphs."""

    contrast: Annotated[NonNegativeFloat, Real(1e-3, 1, log=True)] = Field(
        0.01, description="weight of the contrast of behaviour and content"
    )
    temperature: PositiveFloat = Field(default=0.2, description="tau")


class SideView(nn.Module):
    """Content views are gated by the ID embedding of the item and smoothed; users prefer them by gates of their own."""

    to_users: Tensor
    to_items: Tensor

    def __init__(self, content: Content, graph: BipartiteGraph, options: SideOptions, *, fused: int = 0) -> None:
        """`fused` views beside one of each modality."""
        super().__init__()
        size, views = options.embedding_size, len(content.widths) + fused
        self.options, self.users = options, graph.shape[0]
        self.projections = Projections(content, size)
        self.gates = nn.ModuleList(nn.Linear(size, size) for _ in range(views))
        self.preferences = nn.ModuleList(nn.Linear(size, size) for _ in range(views))
        for name, side in zip(("to_users", "to_items"), torch_sides(graph.matrix, self.users), strict=True):
            self.register_buffer(name, side, persistent=False)

    def views(self, nodes: Tensor, signals: Sequence[Tensor], graphs: Sequence[ItemGraph]) -> list[Tensor]:
        """(U + I, d) of each signal (I, d), gated by `nodes`, smoothed over its graph, summed by users."""
        views, own = [], nodes.split([self.users, len(nodes) - self.users])[1]
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
        nodes, sizes, places = batch_nodes(batch, self.users)
        behaviour, side = both(nodes)
        norms = layer0_norms(table, batch, self.users)
        users, items = (behaviour + side).split(sizes)
        ranking = pairwise(users, items, places) + self.options.regularization * norms
        contrast = agreement(side.split(sizes), behaviour.split(sizes), places, self.options.temperature)
        return ranking + self.options.contrast * contrast


def batch_nodes(batch: Batch, users: int) -> tuple[Tensor, list[int], Batch]:
    """Numbers (n,) of the nodes of a batch, each once, users first; how many are users and items; and the batch by

    their places there. What a model does row by row it need not do for other nodes. Node number `users` is item 0.
    """
    people, user = batch.users.unique(return_inverse=True)
    items, item = torch.cat([batch.positives, batch.negatives]).unique(return_inverse=True)
    positives, negatives = item.split([len(batch.positives), len(batch.negatives)])
    return torch.cat([people, items + users]), [len(people), len(items)], Batch(user, positives, negatives)
