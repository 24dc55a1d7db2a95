"""LATTICE: KNN item graph from content, learned with the model (Zhang et al. 2021).

Zhang, Zhu, Liu, Wu, Wang, Wang, Mining Latent Structures for Multimedia Recommendation, MM 2021.
"""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from tasks.data import Dataset
from tasks.models.families.gradient import GradientModel, Representations
from tasks.models.layers.content import Content, ContentOptions, Projections
from tasks.models.layers.fixed_degree_graph import Edges
from tasks.models.layers.graph import BipartiteGraph, GraphOptions, node_table, ranking_loss
from tasks.models.layers.item_graph import (
    ItemGraph,
    ItemGraphOptions,
    KNNGraphs,
    cosines,
    join_edges,
    mix,
    nearest,
    normalise_graph,
)
from tasks.models.layers.kept import Kept
from tasks.training import Batch, GradientConfig, Real


class LATTICE(GradientModel):
    """Item = LightGCN + h / |h| with h from the item graph: skip x initial + (1 - skip) x learned.

    The neighbours in the learned graph are found once per epoch and for scoring; their weights are learned in every
    step. No (items, items) matrix is ever built: a graph is k weights per item.
    """

    name = "lattice"
    uses_content = True
    NORMAL = ("nodes",)

    class Config(ItemGraphOptions, GraphOptions, ContentOptions, GradientConfig):
        """Beside the options of the loop and the graphs."""

        skip: Annotated[float, Real(0.3, 1)] = Field(0.9, ge=0, le=1, description="lambda: share of the initial graph")
        projection_size: int = Field(default=64, ge=1, description="width of the projected content")

    config: Config

    def __init__(self, config: Config, data: Dataset) -> None:
        super().__init__(config, data)
        self.content = Content(data, self.name, config)
        self.nodes = node_table(data, config.embedding_size)  # (U + I, d), users first
        self.graph = BipartiteGraph(data.train, config.layers)
        self.projections = Projections(self.content, config.projection_size)
        self.importance = nn.Parameter(torch.zeros(len(self.content.widths)))  # softmax of it weights the modalities
        self.initial = KNNGraphs(self.content, config.neighbours, list)
        self.learned = Kept()  # neighbours by projected content, of one epoch

    def item_graph(self) -> ItemGraph:
        """Initial and learned graphs of all modalities, by skip and importance."""
        initial, projected = self.initial(self.content), self.projections(self.content)

        def neighbours() -> tuple[list[Edges], Edges]:
            """Of each modality, and all edges of both graphs."""
            learned = [Edges(nearest(rows, self.config.neighbours)) for rows in projected]
            return learned, join_edges([*(graph.edges for graph in initial), *learned])

        edges, every = self.learned(neighbours)
        learned = [normalise_graph(to, cosines(rows, to)) for to, rows in zip(edges, projected, strict=True)]
        importance = torch.softmax(self.importance, 0)
        shares = torch.cat([self.config.skip * importance, (1 - self.config.skip) * importance])
        return mix(every, [*initial, *learned], shares)

    def loss(self, batch: Batch) -> Tensor:
        """Pairwise loss."""
        final = self.representations()
        return ranking_loss(final.users, final.items, self.nodes, batch, self.config.regularization)

    def representations(self) -> Representations:
        """Users of LightGCN, items with what the item graph says."""
        users, items = self.graph(self.nodes)
        similar = self.item_graph().propagate(self.graph.split(self.nodes)[1], self.config.item_layers)
        return Representations(users, items + functional.normalize(similar, dim=1))
