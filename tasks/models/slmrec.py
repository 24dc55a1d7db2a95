"""SLMRec: self-supervised: each modality predicts the others (Tao et al. 2022).

Tao, Liu, Xia, Wang, Yang, Huang, Chua, Self-supervised Learning for Multimedia Recommendation, TMM 2022.
"""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor, nn
from torch.nn import functional

from tasks.data import Dataset
from tasks.models.families.gradient import GradientModel, Representations
from tasks.models.layers.channel_graph import ChannelGraph
from tasks.models.layers.content import Content, ContentOptions, Projections
from tasks.models.layers.gather import gather
from tasks.models.layers.graph import GraphOptions, node_table
from tasks.training import Batch, GradientConfig, Real, info_nce, squared_norms


class SLMRec(GradientModel):
    """A channel for ids and one for each modality, smoothed with one user table, side by side, and fused linearly.

    Loss: InfoNCE of a user and the positive item, with the other items of the batch as negatives; and, like the paper's
    task of fine and coarse spaces for any number of modalities, InfoNCE of each modality with IDs and the earlier ones.
    The score is the cosine.
    """

    name = "slmrec"
    uses_content = True
    NORMAL = ("nodes",)

    class Config(GraphOptions, ContentOptions, GradientConfig):
        """Beside the options of the loop and the graph."""

        batch_size: int = Field(default=2048, ge=1, description="interactions per step, each against all its items")
        temperature: Annotated[PositiveFloat, Real(0.05, 0.5, log=True)] = Field(0.2, description="tau")
        contrast: Annotated[NonNegativeFloat, Real(1e-3, 1, log=True)] = Field(
            0.05, description="weight of modalities predicting each other"
        )

    config: Config

    def __init__(self, config: Config, data: Dataset) -> None:
        super().__init__(config, data)
        self.content, size = Content(data, self.name, config), config.embedding_size
        self.nodes = node_table(data, size)  # (U + I, d), users first
        self.graph = ChannelGraph(data.train, config.layers)
        self.projections, widths = Projections(self.content, size), self.content.widths
        self.fusion = nn.Linear(size * (len(widths) + 1), size)
        self.before = nn.ModuleList(nn.Linear(size * (place + 1), size) for place in range(len(widths)))
        self.after = nn.ModuleList(nn.Linear(size, size) for _ in widths)

    def channels(self) -> tuple[list[Tensor], list[Tensor]]:
        """Users (U, d) and items (I, d) of ids, then of each modality."""
        own = self.graph.split(self.nodes)[1]
        return self.graph(self.nodes, [own, *self.projections(self.content)])

    def _fuse(self, users: list[Tensor], items: list[Tensor]) -> tuple[Tensor, Tensor]:
        fused = [functional.normalize(self.fusion(torch.cat(channels, 1)), dim=1) for channels in (users, items)]
        return fused[0], fused[1]

    def loss(self, batch: Batch) -> Tensor:
        """Return the loss of the positive pairs of a batch, with each of its items once as a candidate.

        The sum over candidates is equal for all pairs of a user and computed once: the largest array is (distinct
        users, distinct items) of the batch.
        """
        channels = self.channels()
        users, items = self._fuse(*channels)
        people, rows = batch.users.unique(return_inverse=True)
        candidates = batch.positives.unique()
        scaled = functional.embedding(people, users) / self.config.temperature  # smaller than the cosines
        sums = torch.logsumexp(scaled @ functional.embedding(candidates, items).T, 1)  # (people,)
        positive = (gather(users, batch.users)[0] * gather(items, batch.positives)[0]).sum(1) / self.config.temperature
        ranking = (sums[rows] - positive).mean()
        own = self.graph.split(self.nodes)
        norms = squared_norms(functional.embedding(batch.users, own[0]), functional.embedding(batch.positives, own[1]))
        return (
            ranking
            + self.config.contrast * self._contrast_modalities(channels[1], candidates)
            + self.config.regularization * norms
        )

    def _contrast_modalities(self, channels: list[Tensor], items: Tensor) -> Tensor:
        """Sum over modalities of the contrast with what comes before."""
        rows = [functional.embedding(items, channel) for channel in channels]
        losses = [
            info_nce(before(torch.cat(rows[: place + 1], 1)), after(rows[place + 1]), self.config.temperature)
            for place, (before, after) in enumerate(zip(self.before, self.after, strict=True))
        ]
        return torch.stack(losses).sum()

    def representations(self) -> Representations:
        """Fused channels of length 1."""
        return Representations(*self._fuse(*self.channels()))
