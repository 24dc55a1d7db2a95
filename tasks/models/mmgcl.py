"""MMGCL: contrastive learning between views with edge dropout and modality masking (Yi et al. 2022).

Yi, Wang, Ounis, Macdonald, Multi-modal Graph Contrastive Learning for Micro-video Recommendation, SIGIR 2022.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor
from torch.nn import functional

from tasks.data import Dataset
from tasks.models.families.gradient import GradientModel, Representations
from tasks.models.layers.channel_graph import ChannelGraph
from tasks.models.layers.content import Content, ContentOptions, Projections
from tasks.models.layers.gather import contrast_nodes
from tasks.models.layers.graph import GraphOptions, node_table, ranking_loss
from tasks.training import Batch, GradientConfig, Real, info_nce


class MMGCL(GradientModel):
    """A channel for ids and one for each modality, smoothed with one user table; the vector is all side by side.

    Each epoch draws two views: edge dropout, and items with one masked modality, whose other channels are unchanged.
    InfoNCE contrasts the nodes of the two views; challenging negatives, nodes with one channel of another item, double
    the candidates. All modalities are masked equally often.
    """

    name = "mmgcl"
    uses_content = True
    NORMAL = ("nodes",)

    class Config(GraphOptions, ContentOptions, GradientConfig):
        """Beside the options of the loop and the graph."""

        edge_dropout: Annotated[float, Real(0.02, 0.5)] = Field(
            0.05, ge=0, lt=1, description="share of edges missing in the first view"
        )
        masked: Annotated[float, Real(0, 0.5)] = Field(
            0.2, ge=0, lt=1, description="share of items with a masked modality in the second"
        )
        contrast: Annotated[NonNegativeFloat, Real(1e-3, 1, log=True)] = Field(
            0.01, description="weight of the contrast of both views"
        )
        temperature: PositiveFloat = Field(default=0.2, description="tau")

    config: Config

    def __init__(self, config: Config, data: Dataset) -> None:
        super().__init__(config, data)
        self.content = Content(data, self.name, config)
        self.nodes = node_table(data, config.embedding_size)  # (U + I, d), users first
        self.graph = ChannelGraph(data.train, config.layers)
        self.sampled = self.graph  # with edge dropout, another one in every epoch
        self.projections = Projections(self.content, config.embedding_size)
        self.register_buffer("shown", torch.ones(data.train.shape[1], 1), persistent=False)
        self.register_buffer("others", torch.arange(data.train.shape[1]).roll(1), persistent=False)
        self._masked = self._swapped = 0

    def start_epoch(self, rng: np.random.Generator) -> None:
        """Draw both views, and the channel and item of each challenging negative."""
        train, items = self.data.train, self.data.train.shape[1]
        device, modalities = self.nodes.device, len(self.content.widths)
        kept = train.copy()
        kept.data = (rng.random(train.nnz) >= self.config.edge_dropout).astype(np.float32)
        kept.eliminate_zeros()
        self.sampled = ChannelGraph(kept, self.config.layers).to(device, self.nodes.dtype)
        hidden = rng.random(items) < self.config.masked
        self._masked = int(rng.integers(modalities))
        self.shown = torch.from_numpy(~hidden).unsqueeze(1).to(device, self.nodes.dtype)  # (I, 1)
        self.others = torch.from_numpy((np.arange(items) + rng.integers(1, max(items, 2))) % items).to(device)
        self._swapped = int(rng.integers(modalities + 1))

    def loss(self, batch: Batch) -> Tensor:
        """Pairwise loss and the contrast of both views."""
        tables, masked = self._tables(), self._masked + 1
        one = self.sampled(self.nodes, tables)
        whole = self.graph(self.nodes, [*tables, tables[masked] * self.shown])  # the last is of the view
        other = tuple([*side[:masked], side[-1], *side[masked + 1 : -1]] for side in whole)
        users, items = (torch.cat(side[:-1], 1) for side in whole)
        ranking = ranking_loss(users, items, self.nodes, batch, self.config.regularization)
        users, items = contrast_nodes(batch)
        people = info_nce(_rows(one[0], users), _rows(other[0], users), self.config.temperature)
        second = _rows(other[1], items)
        challenging = _rows(other[1], items, self._swapped, self.others[items])
        things = info_nce(_rows(one[1], items), torch.cat([second, challenging]), self.config.temperature)
        return ranking + self.config.contrast * (people + things)

    def representations(self) -> Representations:
        """All channels side by side, on the whole graph with nothing masked."""
        users, items = self.graph(self.nodes, self._tables())
        return Representations(torch.cat(users, 1), torch.cat(items, 1))

    def _tables(self) -> list[Tensor]:
        """(I, d) of ids, then of each modality."""
        return [self.graph.split(self.nodes)[1], *self.projections(self.content)]


def _rows(channels: list[Tensor], rows: Tensor, swapped: int | None = None, by: Tensor | None = None) -> Tensor:
    """Return (n, channels x d) of some rows of the channels; channel `swapped` takes the rows `by` instead."""
    parts = [
        functional.embedding(rows if place != swapped or by is None else by, channel)
        for place, channel in enumerate(channels)
    ]
    return torch.cat(parts, 1)
