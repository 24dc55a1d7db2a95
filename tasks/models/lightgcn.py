"""LightGCN: graph convolution of embeddings on the user-item graph (He et al. 2020).

He, Deng, Wang, Li, Zhang, Wang, LightGCN: Simplifying and Powering Graph Convolution Network for Recommendation,
SIGIR 2020.
"""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from tasks.data import Dataset
from tasks.models.families.gradient import GradientModel, Representations
from tasks.models.layers.graph import BipartiteGraph, GraphOptions, node_table, ranking_loss
from tasks.training import Batch, Choice, GradientConfig


class LightGCN(GradientModel):
    """Score e_u . e_i with e the mean over layers of the propagated embeddings; BPR loss, L2 on layer 0."""

    name = "lightgcn"

    class Config(GraphOptions, GradientConfig):
        """Narrower vectors than with content."""

        embedding_size: Annotated[PositiveInt, Choice((32, 64, 128))] = Field(64, description="d")

    config: Config

    def __init__(self, config: Config, data: Dataset) -> None:
        super().__init__(config, data)
        self.nodes = node_table(data, config.embedding_size)  # (U + I, d), users first
        self.graph = BipartiteGraph(data.train, config.layers)

    def initialise(self, generator: torch.Generator) -> None:
        """Initialise with normal values, standard deviation 0.1."""
        nn.init.normal_(self.nodes, std=0.1, generator=generator)

    def loss(self, batch: Batch) -> Tensor:
        """Pairwise loss on propagated rows (equation 15)."""
        users, items = self.graph(self.nodes)
        return ranking_loss(users, items, self.nodes, batch, self.config.regularization)

    def representations(self) -> Representations:
        """Propagated vectors."""
        return Representations(*self.graph(self.nodes))
