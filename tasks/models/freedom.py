"""FREEDOM: frozen KNN item graph, edge dropout on the user-item graph (Zhou, Shen 2023).

Zhou, Shen, A Tale of Two Graphs: Freezing and Denoising Graph Structures for Multimodal Recommendation, MM 2023.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat
from torch import Tensor

from tasks.data import Dataset
from tasks.models.families.gradient import GradientModel, Representations
from tasks.models.layers.content import Content, ContentOptions, Projections, modality_weights
from tasks.models.layers.gather import gather
from tasks.models.layers.graph import BipartiteGraph, GraphOptions, drop_edges, layer0_norms, node_table
from tasks.models.layers.item_graph import ItemGraph, ItemGraphOptions, KNNGraphs, join_edges, mix
from tasks.training import Batch, GradientConfig, Real, bpr_of_vectors


class FREEDOM(GradientModel):
    """Item = LightGCN on the user-item graph + the embeddings of its k nearest items.

    The loss adds BPR with projected content in the place of the items. Scores use the whole user-item graph. Unlike
    public code, the features themselves are not trained: what is frozen and what is scored stay one. Of the k
    nearest those without any similarity (a cosine of 0 or less) are no neighbours.
    """

    name = "freedom"
    uses_content = True
    NORMAL = ("nodes",)

    class Config(ItemGraphOptions, GraphOptions, ContentOptions, GradientConfig):
        """Beside the options of the loop and the graphs."""

        dropout: Annotated[float, Real(0, 0.9)] = Field(0.8, ge=0, lt=1, description="share of edges dropped per epoch")
        modality_weights: dict[str, NonNegativeFloat] | None = Field(
            default=None, description="weights of the item graphs by modality; none: equal"
        )
        content_weight: Annotated[NonNegativeFloat, Real(1e-4, 1, log=True)] = Field(
            1e-3, description="of the loss of projected content"
        )

    config: Config

    def __init__(self, config: Config, data: Dataset) -> None:
        super().__init__(config, data)
        self.content = Content(data, self.name, config)
        self.nodes = node_table(data, config.embedding_size)  # (U + I, d), users first
        self.graph = BipartiteGraph(data.train, config.layers)
        self.sampled = self.graph  # with edge dropout, another one in every epoch
        self.towers = Projections(self.content, config.embedding_size)
        self.item_graph = KNNGraphs(self.content, config.neighbours, self._mix, weighted=False)
        self._shares = modality_weights(config.modality_weights, self.content, self.name)

    def start_epoch(self, rng: np.random.Generator) -> None:
        """Drop edges of the user-item graph."""
        if self.config.dropout:
            kept = drop_edges(self.data.train, self.config.dropout, rng)
            self.sampled = BipartiteGraph(kept, self.config.layers).to(self.nodes.device, self.nodes.dtype)

    def loss(self, batch: Batch) -> Tensor:
        """Pairwise loss on the graph with edge dropout, and of content."""
        users, items = self._vectors(self.sampled)
        towers, rows = self.towers.of(self.content, torch.cat([batch.positives, batch.negatives]))
        (user,) = gather(users, batch.users)  # (n, d)
        content = [bpr_of_vectors(user, *gather(table, *rows.chunk(2))) for table in towers]
        ranking = bpr_of_vectors(user, *gather(items, batch.positives, batch.negatives))
        penalty = self.config.regularization * layer0_norms(self.nodes, batch, len(users))
        return ranking + self.config.content_weight * torch.stack(content).sum() + penalty

    def representations(self) -> Representations:
        """On the whole graph."""
        return Representations(*self._vectors(self.graph))

    def _vectors(self, graph: BipartiteGraph) -> tuple[Tensor, Tensor]:
        users, items = graph(self.nodes)
        own = self.graph.split(self.nodes)[1]
        return users, items + self.item_graph(self.content).propagate(own, self.config.item_layers)

    def _mix(self, graphs: list[ItemGraph]) -> ItemGraph:
        """The graphs of all modalities in one, by their weights."""
        edges = join_edges([graph.edges for graph in graphs])
        return mix(edges, graphs, torch.from_numpy(self._shares).to(graphs[0].weights))
