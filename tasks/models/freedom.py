"""FREEDOM: a frozen graph of items alike by content, beside a user-item graph that is thinned in every epoch.

Zhou, Shen, A Tale of Two Graphs: Freezing and Denoising Graph Structures for Multimodal Recommendation, MM 2023.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat
from torch import Tensor, nn

from tasks.data import Dataset
from tasks.models.families.graph_content import ItemGraphConfig, ItemGraphModel
from tasks.models.layers.content import Projection, modality_weights
from tasks.models.layers.gather import gathered
from tasks.models.layers.graph import normalised_bipartite, pruned, torch_csr
from tasks.models.layers.item_graph import ItemGraph, joined, mixed
from tasks.training import Batch, Real, Space, bpr_of_vectors


class FREEDOM(ItemGraphModel):
    """Item = LightGCN on the user-item graph + the embeddings of its k nearest items.

    The loss adds BPR with projected content in the place of the items. Scores use the whole user-item graph. Unlike
    public code, the features themselves are not trained: what is frozen and what is scored stay one. Of the k
    nearest those without any likeness (a cosine of 0 or less) are no neighbours.
    """

    name = "freedom"
    SEARCH: ClassVar[Space] = {
        **ItemGraphModel.SEARCH,
        "dropout": Real(0, 0.9),
        "content_weight": Real(1e-4, 1, log=True),
    }
    weighted = False

    class Config(ItemGraphConfig):
        """Beside the options of the loop and the graphs."""

        dropout: float = Field(default=0.8, ge=0, lt=1, description="share of interactions left out of an epoch")
        modality_weights: dict[str, NonNegativeFloat] | None = Field(
            default=None, description="of the item graphs; none: equal"
        )
        content_weight: NonNegativeFloat = Field(default=1e-3, description="of the loss of projected content")

    config: Config
    thinned: Tensor

    def __init__(self, config: Config, data: Dataset) -> None:
        super().__init__(config, data)
        self.towers = nn.ModuleList(Projection(width, config.embedding_size) for width in self.content.widths)
        self._shares = modality_weights(config.modality_weights, self.content, self.name)
        self._mixed: tuple[list[ItemGraph], ItemGraph] | None = None
        self.register_buffer("thinned", self.graph, persistent=False)

    def start_epoch(self, rng: np.random.Generator) -> None:
        """Thin the user-item graph."""
        if self.config.dropout:
            thinned = normalised_bipartite(pruned(self.data.train, self.config.dropout, rng))
            self.thinned = torch_csr(thinned).to(self.nodes.device, self.nodes.dtype)

    def loss(self, batch: Batch) -> Tensor:
        """Pairwise loss on the thinned graph, and of content."""
        users, items = self._vectors(self.thinned)
        features, rows = self.content_of(torch.cat([batch.positives, batch.negatives]))
        (user,) = gathered(users, batch.users)  # (n, d)
        content = [
            bpr_of_vectors(user, *gathered(tower(table), *rows.chunk(2)))
            for tower, table in zip(self.towers, features, strict=True)
        ]
        ranking = bpr_of_vectors(user, *gathered(items, batch.positives, batch.negatives))
        return ranking + self.config.content_weight * torch.stack(content).sum() + self.penalty(batch)

    def final(self) -> tuple[Tensor, Tensor]:
        """On the whole graph."""
        return self._vectors(self.graph)

    def _vectors(self, graph: Tensor) -> tuple[Tensor, Tensor]:
        users, items = self.smoothed(graph)
        return users, items + self.item_graph().propagate(self.halves(self.nodes)[1], self.config.item_layers)

    def item_graph(self) -> ItemGraph:
        """The graphs of all modalities in one, mixed again only where they have changed."""
        graphs = self.item_graphs()
        if self._mixed is None or self._mixed[0] is not graphs:
            edges = joined([graph.edges for graph in graphs])
            self._mixed = graphs, mixed(edges, graphs, torch.from_numpy(self._shares).to(graphs[0].weights))
        return self._mixed[1]
