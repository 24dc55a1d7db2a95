"""MMGCN: a user-item graph for each modality, in which users have a preference for what its content says.

Wei, Wang, Nie, He, Hong, Chua, MMGCN: Multi-modal Graph Convolution Network for Personalized Recommendation of
Micro-video, MM 2019.
"""

from __future__ import annotations

import torch
from scipy import sparse
from torch import Tensor, nn
from torch.nn import functional

from tasks.data import Dataset
from tasks.models.families.graph_content import GraphConfig, GraphContentModel, pairwise
from tasks.models.layers.content import Projection
from tasks.models.layers.graph import mean_over_neighbours, product, torch_csr
from tasks.training import Batch, squared_norms


class MMGCN(GraphContentModel):
    """Mean over modalities of the last layer; in each layer the mean of a node's neighbours joins its own vector.

    h = f(mean over neighbours of x W1), y = f(x W2) + id, x' = f(h W3 + y), with f the leaky ReLU and ids `nodes` that
    all modalities share; the first x has length 1, and is nothing of an item that lacks the modality. Content is
    projected to d before anything is passed over an edge, so that memory is linear in nodes, never edges times the
    width of a feature. Every table is a parameter and is trained.
    """

    name = "mmgcn"

    class Config(GraphConfig):
        """As of all models with a graph."""

    config: Config

    def __init__(self, config: Config, data: Dataset) -> None:
        super().__init__(config, data)
        size, widths = config.embedding_size, self.content.widths
        self.users = nn.Parameter(torch.zeros(len(widths), data.train.shape[0], size))  # preferences by modality
        self.projections = nn.ModuleList(Projection(width, size) for width in widths)

        def one_each(*, bias: bool) -> nn.ModuleList:
            return nn.ModuleList(nn.Linear(size, size, bias=bias) for _ in range(len(widths) * config.layers))

        self.passing, self.own, self.joining = one_each(bias=False), one_each(bias=True), one_each(bias=True)

    def edges(self, interactions: sparse.csr_matrix) -> tuple[Tensor, Tensor]:
        """(U + I, U + I) of interactions (U, I), the mean over a node's neighbours, and its transpose."""
        forth, back = mean_over_neighbours(interactions)
        return torch_csr(forth), torch_csr(back)

    def initialise(self, generator: torch.Generator) -> None:
        """As all models with a graph, preferences as nodes."""
        super().initialise(generator)
        nn.init.normal_(self.users, std=0.1, generator=generator)

    def final(self) -> tuple[Tensor, Tensor]:
        """The mean over modalities."""
        found = []
        for modality, rows in enumerate(self.content()):
            items = self.content.of_those_that_have(modality, self.projections[modality](rows))
            x = functional.normalize(torch.cat([self.users[modality], items]), dim=1)  # (U + I, d)
            for layer in range(self.config.layers):
                place = modality * self.config.layers + layer
                passed = product(self.graph, self.back, self.passing[place](x))
                own = functional.leaky_relu(self.own[place](x)) + self.nodes
                x = functional.leaky_relu(self.joining[place](functional.leaky_relu(passed)) + own)
            found.append(x)
        return self.halves(torch.stack(found).mean(0))

    def loss(self, batch: Batch) -> Tensor:
        """Pairwise loss; ids and preferences of a batch are penalised."""
        preferences = [functional.embedding(batch.users, table) for table in self.users]
        penalty = self.config.regularization * squared_norms(*preferences)
        return pairwise(*self.final(), batch) + self.penalty(batch) + penalty
