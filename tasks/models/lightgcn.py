"""LightGCN: embeddings smoothed over the user-item graph, with nothing else in between.

He, Deng, Wang, Li, Zhang, Wang, LightGCN: Simplifying and Powering Graph Convolution Network for Recommendation,
SIGIR 2020.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn

from tasks.data import Dataset
from tasks.models.families.gradient import GradientModel, Representations
from tasks.models.layers.gather import gathered
from tasks.models.layers.graph import normalised_bipartite, propagate, torch_csr
from tasks.training import Batch, Choice, GradientConfig, Space, Whole, bpr_of_vectors, squared_norms


class LightGCN(GradientModel):
    """Score e_u . e_i with e the mean over layers of the propagated embeddings; BPR loss, L2 on layer 0."""

    name = "lightgcn"
    SEARCH: ClassVar[Space] = {
        **GradientModel.SEARCH,
        "embedding_size": Choice((32, 64, 128)),
        "layers": Whole(1, 4),
    }

    class Config(GradientConfig):
        """Depth and width beside the options of the loop. A step costs a pass over the graph, so batches are large."""

        batch_size: PositiveInt = Field(default=8192, description="interactions per step")
        learning_rate: PositiveFloat = Field(default=5e-3, le=1, description="of Adam")
        regularization: NonNegativeFloat = Field(
            default=1e-3, description="weight of the squared norms of the layer-0 rows"
        )
        embedding_size: PositiveInt = Field(default=64, description="d")
        layers: PositiveInt = Field(default=2, le=8, description="how far the graph is followed")

    config: Config
    graph: Tensor

    def __init__(self, config: Config, data: Dataset) -> None:
        super().__init__(config, data)
        self.nodes = nn.Parameter(torch.zeros(sum(data.train.shape), config.embedding_size))  # (U + I, d), users first
        self.register_buffer("graph", torch_csr(normalised_bipartite(data.train)), persistent=False)

    def initialise(self, generator: torch.Generator) -> None:
        """Normal with deviation 0.1."""
        nn.init.normal_(self.nodes, std=0.1, generator=generator)

    def loss(self, batch: Batch) -> Tensor:
        """Pairwise loss on propagated rows (equation 15)."""
        users = self.data.train.shape[0]
        rows = (batch.users, batch.positives + users, batch.negatives + users)
        user, positive, negative = gathered(propagate(self.graph, self.nodes, self.config.layers), *rows)  # (n, d)
        own = gathered(self.nodes, *rows)
        return bpr_of_vectors(user, positive, negative) + self.config.regularization * squared_norms(*own)

    def representations(self) -> Representations:
        """Propagated vectors."""
        final = propagate(self.graph, self.nodes, self.config.layers)
        users = self.data.train.shape[0]
        return Representations(final[:users], final[users:])
