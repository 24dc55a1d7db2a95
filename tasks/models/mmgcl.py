"""MMGCL: the model is to know a node again when edges are missing, or what one modality said of it.

Yi, Wang, Ounis, Macdonald, Multi-modal Graph Contrastive Learning for Micro-video Recommendation, SIGIR 2022.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor, nn
from torch.nn import functional

from tasks.data import Dataset
from tasks.models.parts.content import Projection
from tasks.models.parts.graph import normalised_bipartite, propagate, torch_csr
from tasks.models.parts.graph_content import GraphConfig, GraphContentModel, contrasted, pairwise
from tasks.training import Batch, Real, Space, info_nce


class MMGCL(GraphContentModel):
    """A channel for ids and one for each modality, smoothed with one user table; the vector is all side by side.

    Two views of every epoch: the graph without some edges, and items of which one modality is masked. InfoNCE tells
    nodes apart across them; a challenging negative, the node with one channel of another item, is one more candidate.
    """

    name = "mmgcl"
    SEARCH: ClassVar[Space] = {
        **GraphContentModel.SEARCH,
        "edge_dropout": Real(0.02, 0.5),
        "masked": Real(0, 0.5),
        "contrast": Real(1e-3, 1, log=True),
    }

    class Config(GraphConfig):
        """Beside the options of the loop and the graph."""

        edge_dropout: float = Field(default=0.05, ge=0, lt=1, description="share of edges missing in the first view")
        masked: float = Field(
            default=0.2, ge=0, lt=1, description="share of items with a masked modality in the second"
        )
        contrast: NonNegativeFloat = Field(default=0.01, description="weight of the contrast of both views")
        temperature: PositiveFloat = Field(default=0.2, description="tau")

    config: Config
    thinned: Tensor

    def __init__(self, config: Config, data: Dataset) -> None:
        super().__init__(config, data)
        self.projections = nn.ModuleList(Projection(width, config.embedding_size) for width in self.content.widths)
        self.register_buffer("thinned", self.graph, persistent=False)
        self.register_buffer("shown", torch.ones(len(self.content.widths), data.train.shape[1], 1), persistent=False)
        self.register_buffer("others", torch.arange(data.train.shape[1]).roll(1), persistent=False)
        self._swapped = 0

    def start_epoch(self, rng: np.random.Generator) -> None:
        """Draw both views, and which channel of which other item makes a challenging negative."""
        train, items = self.data.train, self.data.train.shape[1]
        device, modalities = self.nodes.device, len(self.content.widths)
        kept = train.copy()
        kept.data = (rng.random(train.nnz) >= self.config.edge_dropout).astype(np.float32)
        kept.eliminate_zeros()
        self.thinned = torch_csr(normalised_bipartite(kept)).to(device, self.nodes.dtype)
        hidden = (rng.random(items) < self.config.masked) & (np.arange(modalities)[:, None] == rng.integers(modalities))
        self.shown = torch.from_numpy(~hidden).unsqueeze(2).to(device, self.nodes.dtype)  # (modalities, I, 1)
        self.others = torch.from_numpy((np.arange(items) + rng.integers(1, max(items, 2))) % items).to(device)
        self._swapped = int(rng.integers(modalities + 1))

    def channels(self, graph: Tensor, shown: Tensor | None = None) -> list[tuple[Tensor, Tensor]]:
        """Users and items of ids, then of each modality."""
        users, found = self.halves(self.nodes)[0], [self.smoothed(graph)]
        for place, (layer, rows) in enumerate(zip(self.projections, self.content(), strict=True)):
            items = layer(rows) if shown is None else layer(rows) * shown[place]
            found.append(self.halves(propagate(graph, torch.cat([users, items]), self.config.layers)))
        return found

    def loss(self, batch: Batch) -> Tensor:
        """Pairwise loss and the contrast of both views."""
        ranking = pairwise(*self.final(), batch) + self.penalty(batch)
        one, other = self.channels(self.thinned), self.channels(self.graph, self.shown)
        users, items = contrasted(batch)
        people = info_nce(_rows(one, 0, users), _rows(other, 0, users), self.config.temperature)
        second = _rows(other, 1, items)
        challenging = _rows(other, 1, items, self._swapped, self.others[items])
        things = info_nce(_rows(one, 1, items), torch.cat([second, challenging]), self.config.temperature)
        return ranking + self.config.contrast * (people + things)

    def final(self) -> tuple[Tensor, Tensor]:
        """All channels side by side, on the whole graph with nothing masked."""
        users, items = zip(*self.channels(self.graph), strict=True)
        return torch.cat(users, 1), torch.cat(items, 1)


def _rows(
    channels: list[tuple[Tensor, Tensor]], side: int, rows: Tensor, swapped: int | None = None, by: Tensor | None = None
) -> Tensor:
    """(n, channels x d) of some users (side 0) or items (1); channel `swapped` is of the items `by` instead."""
    return torch.cat(
        [
            functional.embedding(rows if place != swapped or by is None else by, channel[side])
            for place, channel in enumerate(channels)
        ],
        1,
    )
