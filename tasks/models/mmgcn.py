"""MMGCN: one user-item graph convolution per modality, with users' preferences for modalities (Wei et al. 2019).

Wei, Wang, Nie, He, Hong, Chua, MMGCN: Multi-modal Graph Convolution Network for Personalized Recommendation of
Micro-video, MM 2019.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tasks.data import Dataset
from tasks.models.families.gradient import GradientModel, Representations
from tasks.models.layers.content import Content, ContentOptions, Projections
from tasks.models.layers.graph import GraphOptions, node_table, ranking_loss
from tasks.models.layers.mean_graph import MeanGraph
from tasks.training import Batch, GradientConfig, squared_norms


class MMGCN(GradientModel):
    """Mean over modalities of the last layer; in each layer the mean of a node's neighbours joins its own vector.

    h = f(mean over neighbours of x W1), y = f(x W2) + id, x' = f(h W3 + y), with f the leaky ReLU and IDs `nodes`
    shared by all modalities; the first x has length 1, or is zero for an item that lacks the modality. Content is
    projected to d before propagation, so that memory is linear in nodes, not edges times feature width. All tables are
    trained parameters.
    """

    name = "mmgcn"
    uses_content = True
    NORMAL = ("nodes", "users")

    class Config(GraphOptions, ContentOptions, GradientConfig):
        """As of all models with a graph."""

    config: Config

    def __init__(self, config: Config, data: Dataset) -> None:
        super().__init__(config, data)
        self.content, size = Content(data, self.name, config), config.embedding_size
        self.nodes, widths = node_table(data, size), self.content.widths  # (U + I, d), users first
        self.graph = MeanGraph(data.train)
        self.users = nn.Parameter(torch.zeros(len(widths), data.train.shape[0], size))  # preferences by modality
        self.projections = Projections(self.content, size)

        def one_each(*, bias: bool) -> nn.ModuleList:
            return nn.ModuleList(nn.Linear(size, size, bias=bias) for _ in range(len(widths) * config.layers))

        self.passing, self.own, self.joining = one_each(bias=False), one_each(bias=True), one_each(bias=True)

    def representations(self) -> Representations:
        """The mean over modalities."""
        last = []
        for modality, items in enumerate(self.projections(self.content)):
            x = functional.normalize(torch.cat([self.users[modality], items]), dim=1)  # (U + I, d)
            for layer in range(self.config.layers):
                place = modality * self.config.layers + layer
                passed = self.graph(self.passing[place](x))
                own = functional.leaky_relu(self.own[place](x)) + self.nodes
                x = functional.leaky_relu(self.joining[place](functional.leaky_relu(passed)) + own)
            last.append(x)
        return Representations(*torch.stack(last).mean(0).split(list(self.data.train.shape)))

    def loss(self, batch: Batch) -> Tensor:
        """Return the pairwise loss; IDs and preferences of a batch are regularised."""
        preferences = [functional.embedding(batch.users, table) for table in self.users]
        final, weight = self.representations(), self.config.regularization
        ranking = ranking_loss(final.users, final.items, self.nodes, batch, weight)
        return ranking + weight * squared_norms(*preferences)
