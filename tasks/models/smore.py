"""SMORE: modalities cleaned and fused as spectra, then smoothed and gated by what each user prefers.

Ong, Khong, Spectrum-based Modality Representation Fusion Graph Convolutional Network for Multimodal Recommendation,
WSDM 2025. Chosen among the best published models because it is stated in full, shares its graphs with MGCN, and a
reader came to within about two per cent of its figures.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor, nn

from tasks.data import Dataset
from tasks.models.parts.content import Projection
from tasks.models.parts.graph import normalised_part, product, torch_csr
from tasks.models.parts.graph_content import ItemGraphConfig, ItemGraphModel, agreement, chosen, pairwise
from tasks.models.parts.neighbours import ItemGraph, union
from tasks.training import Batch, Real, Space


class SMORE(ItemGraphModel):
    """Vector = LightGCN of ids + side; side = mean of the views of each modality and of their fusion, gated.

    A product of spectra is a convolution of signals: the fusion keeps the frequencies that all modalities have.
    """

    name = "smore"
    SEARCH: ClassVar[Space] = {**ItemGraphModel.SEARCH, "contrast": Real(1e-3, 1, log=True)}

    class Config(ItemGraphConfig):
        """Beside the options of the loop and the graphs."""

        contrast: NonNegativeFloat = Field(default=0.01, description="weight of the contrast of behaviour and content")
        temperature: PositiveFloat = Field(default=0.2, description="tau")

    config: Config
    to_users: Tensor
    to_items: Tensor

    def __init__(self, config: Config, data: Dataset) -> None:
        super().__init__(config, data)
        size, widths = config.embedding_size, self.content.widths
        views = len(widths) + 1  # the last is the fusion
        self.projections = nn.ModuleList(Projection(width, size) for width in widths)
        self.filters = nn.Parameter(torch.zeros(views, size // 2 + 1, 2))  # real and imaginary part by frequency
        self.gates = nn.ModuleList(nn.Linear(size, size) for _ in range(views))
        self.preferences = nn.ModuleList(nn.Linear(size, size) for _ in range(views))
        self.attention = nn.ModuleList(
            nn.Sequential(nn.Linear(size, size), nn.Tanh(), nn.Linear(size, size, bias=False)) for _ in widths
        )
        self._joined: tuple[list[ItemGraph], ItemGraph] | None = None
        between = normalised_part(data.train)  # (U, I)
        self.register_buffer("to_users", torch_csr(between), persistent=False)
        self.register_buffer("to_items", torch_csr(between.T.tocsr()), persistent=False)

    def initialise(self, generator: torch.Generator) -> None:
        """As all models with a graph; filters begin near the one that lets all pass."""
        super().initialise(generator)
        nn.init.normal_(self.filters, std=0.02, generator=generator)
        with torch.no_grad():
            self.filters[..., 0] += 1

    def signals(self) -> list[Tensor]:
        """(I, d) of each modality, filtered, and of the fusion."""
        projected = [layer(rows) for layer, rows in zip(self.projections, self.content(), strict=True)]
        spectra = torch.stack([torch.fft.rfft(rows, dim=1, norm="ortho") for rows in projected])
        every = torch.cat([spectra, spectra.prod(0, keepdim=True)]) * torch.view_as_complex(self.filters).unsqueeze(1)
        return list(torch.fft.irfft(every, n=self.config.embedding_size, dim=2, norm="ortho"))

    def graphs(self) -> list[ItemGraph]:
        """The item graph of each modality, and their union."""
        graphs = self.item_graphs()
        if self._joined is None or self._joined[0] is not graphs:  # they stay, unless content is learned
            self._joined = graphs, union(graphs)
        return [*graphs, self._joined[1]]

    def views(self) -> list[Tensor]:
        """(U + I, d) of each signal: purified by behaviour, smoothed over alike items, and its sums over a user's."""
        own, found = self.halves(self.nodes)[1], []
        for gate, signal, graph in zip(self.gates, self.signals(), self.graphs(), strict=True):
            items = graph.propagate(own * torch.sigmoid(gate(signal)), self.config.item_layers)
            found.append(torch.cat([product(self.to_users, self.to_items, items), items]))
        return found

    def both(self, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(n, d) of behaviour and of content, of the nodes `rows` (n,) or of all."""
        behaviour, *single, fused = chosen([self.smoothed_nodes(), *self.views()], rows)
        attended = [
            torch.softmax(attention(fused), 1) * view for attention, view in zip(self.attention, single, strict=True)
        ]
        gated = [
            torch.sigmoid(layer(behaviour)) * view
            for layer, view in zip(self.preferences, [*attended, fused], strict=True)
        ]
        return behaviour, torch.stack(gated).mean(0)

    def loss(self, batch: Batch) -> Tensor:
        """Pairwise loss, and that behaviour and content of one node agree."""
        nodes = self.nodes_of(batch)
        behaviour, side = self.both(nodes.rows)
        ranking = pairwise(*nodes.halves(behaviour + side), nodes.batch) + self.penalty(batch)
        contrast = agreement(nodes.halves(side), nodes.halves(behaviour), nodes.batch, self.config.temperature)
        return ranking + self.config.contrast * contrast

    def final(self) -> tuple[Tensor, Tensor]:
        """The sum of both."""
        behaviour, side = self.both()
        return self.halves(behaviour + side)
