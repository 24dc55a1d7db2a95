"""Models that smooth embeddings over the user-item graph and have content: what all of them share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from scipy import sparse
from torch import Tensor, nn

from tasks.data import Dataset
from tasks.models.families.content import ContentConfig, ContentModel
from tasks.models.families.gradient import GradientModel, Representations
from tasks.models.layers.gather import gathered
from tasks.models.layers.graph import normalised_bipartite, propagate, torch_csr
from tasks.models.layers.item_graph import ItemGraph, neighbour_graph
from tasks.training import Batch, Choice, Space, Whole, bpr_of_vectors, info_nce, squared_norms

CONTRASTED = 2048  # interactions whose nodes are told apart in a step: a batch of the papers


class GraphConfig(ContentConfig):
    """Depth and width beside the options of the loop. A step costs a pass over the graph, so batches are large."""

    batch_size: PositiveInt = Field(default=8192, description="interactions per step")
    learning_rate: PositiveFloat = Field(default=5e-3, le=1, description="of Adam")
    regularization: NonNegativeFloat = Field(default=1e-3, description="weight of the squared norms of layer-0 rows")
    embedding_size: PositiveInt = Field(default=64, description="d")
    layers: PositiveInt = Field(default=2, le=8, description="how far the user-item graph is followed")


@dataclass(frozen=True)
class BatchNodes:
    """Numbers `rows` (n,) of the nodes of a batch, each once, `users` of them users, who come first.

    `batch` is the batch by their places there. What a model does row by row it need not do for other nodes.
    """

    rows: Tensor
    users: int
    batch: Batch

    def halves(self, nodes: Tensor) -> tuple[Tensor, Tensor]:
        """Those of users and those of items of rows (n, d)."""
        users, items = nodes.split([self.users, len(self.rows) - self.users])
        return users, items


class GraphContentModel(ContentModel):
    """`nodes` (U + I, d), users first, and `graph`, (U + I, U + I), what passes over the edges between them.

    Where it is not symmetric, `back` is its transpose.
    """

    SEARCH: ClassVar[Space] = {**GradientModel.SEARCH, "layers": Whole(1, 4), "embedding_size": Choice((64, 128))}
    config: GraphConfig
    graph: Tensor
    back: Tensor

    def __init__(self, config: GraphConfig, data: Dataset) -> None:
        super().__init__(config, data)
        self.nodes = nn.Parameter(torch.zeros(sum(data.train.shape), config.embedding_size))
        graph, back = self.edges(data.train)
        self.register_buffer("graph", graph, persistent=False)
        if back is not graph:
            self.register_buffer("back", back, persistent=False)

    def edges(self, interactions: sparse.csr_matrix) -> tuple[Tensor, Tensor]:
        """(U + I, U + I) of interactions (U, I) and its transpose: normalised on both sides, and so the same."""
        graph = torch_csr(normalised_bipartite(interactions))
        return graph, graph

    def initialise(self, generator: torch.Generator) -> None:
        """Xavier-uniform matrices, no biases, nodes normal with deviation 0.1."""
        super().initialise(generator)
        nn.init.normal_(self.nodes, std=0.1, generator=generator)

    def smoothed(self, graph: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Users (U, d) and items (I, d) after light graph convolution."""
        return self.halves(self.smoothed_nodes(graph))

    def smoothed_nodes(self, graph: Tensor | None = None) -> Tensor:
        """Both in one, (U + I, d)."""
        return propagate(self.graph if graph is None else graph, self.nodes, self.config.layers)

    def halves(self, nodes: Tensor) -> tuple[Tensor, Tensor]:
        """Rows of users and rows of items."""
        users, items = nodes.split(list(self.data.train.shape))
        return users, items

    def penalty(self, batch: Batch) -> Tensor:
        """Squared norms of the layer-0 rows of a batch, weighed."""
        users = self.data.train.shape[0]
        rows = (batch.users, batch.positives + users, batch.negatives + users)
        return self.config.regularization * squared_norms(*gathered(self.nodes, *rows))

    def nodes_of(self, batch: Batch) -> BatchNodes:
        """The nodes of a batch."""
        users, user = batch.users.unique(return_inverse=True)
        items, item = torch.cat([batch.positives, batch.negatives]).unique(return_inverse=True)
        positives, negatives = item.split([len(batch.positives), len(batch.negatives)])
        rows = torch.cat([users, items + self.data.train.shape[0]])
        return BatchNodes(rows, len(users), Batch(user, positives, negatives))

    def final(self) -> tuple[Tensor, Tensor]:
        """Users and items whose products are the scores, with gradients."""
        raise NotImplementedError

    def representations(self) -> Representations:
        """The final vectors."""
        return Representations(*self.final())


class ItemGraphConfig(GraphConfig):
    """For models that follow a graph of items alike by content."""

    neighbours: PositiveInt = Field(default=10, description="k: items nearest to an item, by modality")
    item_layers: PositiveInt = Field(default=1, le=4, description="how far the item graph is followed")


class ItemGraphModel(GraphContentModel):
    """Beside the user-item graph a graph of items for each modality."""

    SEARCH: ClassVar[Space] = {**GraphContentModel.SEARCH, "neighbours": Whole(5, 40, log=True)}
    config: ItemGraphConfig
    weighted = True  # whether edges are cosines or ones

    def __init__(self, config: ItemGraphConfig, data: Dataset) -> None:
        super().__init__(config, data)
        self._item_graphs: list[ItemGraph] | None = None

    def train(self, mode: bool = True) -> ItemGraphModel:
        """Where content is learned, the graphs of it are built anew for every epoch and every scoring."""
        if self.content.learns:
            self._item_graphs = None
        super().train(mode)
        return self

    def item_graphs(self) -> list[ItemGraph]:
        """One of each modality, of what content is now; never kept from one model to another."""
        found = self._item_graphs
        if found is None or found[0].weights.device != self.nodes.device:
            with torch.no_grad():
                rows = self.content()
                found = [neighbour_graph(table, self.config.neighbours, weighted=self.weighted) for table in rows]
            self._item_graphs = found
        return found


def chosen(tables: list[Tensor], rows: Tensor | None) -> list[Tensor]:
    """The `rows` of each table, or all."""
    return tables if rows is None else [gathered(table, rows)[0] for table in tables]


def pairwise(users: Tensor, items: Tensor, batch: Batch) -> Tensor:
    """BPR loss of the rows of a batch in the tables of all users (U, d) and all items (I, d)."""
    return bpr_of_vectors(*gathered(users, batch.users), *gathered(items, batch.positives, batch.negatives))


def contrasted(batch: Batch) -> tuple[Tensor, Tensor]:
    """Users and positive items of the first CONTRASTED interactions of a batch, each once."""
    return batch.users[:CONTRASTED].unique(), batch.positives[:CONTRASTED].unique()


def agreement(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor], batch: Batch, temperature: float) -> Tensor:
    """InfoNCE between two vectors of the users of a batch plus that of its positive items, each node once.

    Of a large batch the first CONTRASTED interactions: cost grows with the square, and they come in random order.
    """
    found = [
        info_nce(gathered(left, rows)[0], gathered(right, rows)[0], temperature)
        for left, right, rows in zip(one, other, contrasted(batch), strict=True)
    ]
    return found[0] + found[1]
