"""DualGNN: user-specific weights of modalities, and a graph of similar users (Wang et al. 2021).

Wang, Wei, Yin, Wu, Song, Nie, DualGNN: Dual Graph Neural Network for Multimedia Recommendation, TMM 2021.
"""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field, NonNegativeFloat, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from tasks.data import Dataset
from tasks.models.families.gradient import GradientModel, Representations
from tasks.models.layers.content import Content, ContentOptions, Projections
from tasks.models.layers.fixed_degree_graph import Edges, weighted_sums
from tasks.models.layers.graph import BipartiteGraph, GraphOptions, node_table, ranking_loss
from tasks.models.layers.kept import Kept
from tasks.models.solvers.item_neighbours import neighbours
from tasks.training import Batch, GradientConfig, Real, Whole, squared_norms


class DualGNN(GradientModel):
    """By modality, projected content and a user table are smoothed over the user-item graph, with ids in one more.

    Each user weights the channels by a softmax and adds the mean of similar users (by the cosine of common items; the
    paper uses a softmax of counts, which favours long histories). An item is the mean over channels. The paper has no
    ID channel, projects by two layers and sums the layers; here they are averaged as in LightGCN.
    """

    name = "dualgnn"
    uses_content = True
    NORMAL = ("nodes", "users")
    ZERO = ("taste",)  # modalities count equally for all users

    class Config(GraphOptions, ContentOptions, GradientConfig):
        """Beside the options of the loop and the graph."""

        user_neighbours: Annotated[PositiveInt, Whole(5, 100, log=True)] = Field(
            40, description="similar users that a user listens to"
        )
        user_weight: Annotated[NonNegativeFloat, Real(0, 2)] = Field(1.0, description="against the user's own")

    config: Config
    similar_users: Tensor
    similarity: Tensor

    def __init__(self, config: Config, data: Dataset) -> None:
        super().__init__(config, data)
        self.content = Content(data, self.name, config)
        self.nodes = node_table(data, config.embedding_size)  # (U + I, d), users first
        self.graph = BipartiteGraph(data.train, config.layers)
        users, widths = data.train.shape[0], self.content.widths
        self.users = nn.Parameter(torch.zeros(len(widths), users, config.embedding_size))
        self.taste = nn.Parameter(torch.zeros(users, len(widths) + 1))  # softmax of it weights modalities and ids
        self.projections = Projections(self.content, config.embedding_size)
        similar, similarity = neighbours(data.train.T.tocsr(), min(config.user_neighbours, users - 1), 0.0)
        share = similarity / similarity.sum(axis=1, keepdims=True).clip(min=1e-12)
        self.listening = Kept(constant=True)  # edges from each user to similar ones
        self.register_buffer("similar_users", torch.from_numpy(similar), persistent=False)  # (U, k)
        self.register_buffer("similarity", torch.from_numpy(share), persistent=False)  # (U, k), sums to 1 or 0

    def representations(self) -> Representations:
        """Users with those similar to them, items as the mean over modalities and ids."""
        channels = [self.graph(self.nodes)]
        for table, rows in zip(self.users, self.projections(self.content), strict=True):
            channels.append(self.graph(torch.cat([table, functional.leaky_relu(rows)])))
        weights = torch.softmax(self.taste, 1).unsqueeze(2)  # (U, modalities + 1, 1)
        users = (weights * torch.stack([channel[0] for channel in channels], 1)).sum(1)
        similar = self.listening(lambda: Edges(self.similar_users))
        users = users + self.config.user_weight * weighted_sums(similar, self.similarity, users)
        return Representations(users, torch.stack([channel[1] for channel in channels]).mean(0))

    def loss(self, batch: Batch) -> Tensor:
        """Return the pairwise loss; the user tables of a batch are regularised too."""
        tables = [functional.embedding(batch.users, table) for table in self.users]
        final, weight = self.representations(), self.config.regularization
        ranking = ranking_loss(final.users, final.items, self.nodes, batch, weight)
        return ranking + weight * squared_norms(*tables)
