"""SMORE: modalities cleaned and fused as spectra, then smoothed and gated by what each user prefers.

Ong, Khong, Spectrum-based Modality Representation Fusion Graph Convolutional Network for Multimodal Recommendation,
WSDM 2025. Chosen among the best published models because it is stated in full, shares its graphs with MGCN, and a
reader came to within about two per cent of its figures.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tasks.data import Dataset
from tasks.models.families.graph_content import chosen
from tasks.models.families.side_view import SideConfig, SideModel
from tasks.models.layers.item_graph import ItemGraph, union


class SMORE(SideModel):
    """Vector = LightGCN of ids + side; side = mean of the views of each modality and of their fusion, gated.

    A product of spectra is a convolution of signals: the fusion keeps the frequencies that all modalities have.
    """

    name = "smore"

    class Config(SideConfig):
        """As of all models with a side view."""

    config: Config

    def __init__(self, config: Config, data: Dataset) -> None:
        super().__init__(config, data, fused=1)
        size, modalities = config.embedding_size, len(self.content.widths)
        # (views, frequencies, 2): real and imaginary part; the last view is the fusion
        self.filters = nn.Parameter(torch.zeros(modalities + 1, size // 2 + 1, 2))
        self.attention = nn.ModuleList(
            nn.Sequential(nn.Linear(size, size), nn.Tanh(), nn.Linear(size, size, bias=False))
            for _ in range(modalities)
        )
        self._joined: tuple[list[ItemGraph], ItemGraph] | None = None

    def initialise(self, generator: torch.Generator) -> None:
        """As all models with a graph; filters begin near the one that lets all pass."""
        super().initialise(generator)
        nn.init.normal_(self.filters, std=0.02, generator=generator)
        with torch.no_grad():
            self.filters[..., 0] += 1

    def signals(self) -> list[Tensor]:
        """(I, d) of each modality, filtered, and of the fusion."""
        spectra = torch.stack([torch.fft.rfft(rows, dim=1, norm="ortho") for rows in self.projected()])
        every = torch.cat([spectra, spectra.prod(0, keepdim=True)]) * torch.view_as_complex(self.filters).unsqueeze(1)
        return list(torch.fft.irfft(every, n=self.config.embedding_size, dim=2, norm="ortho"))

    def graphs(self) -> list[ItemGraph]:
        """The item graph of each modality, and their union."""
        graphs = self.item_graphs()
        if self._joined is None or self._joined[0] is not graphs:  # they stay, unless content is learned
            self._joined = graphs, union(graphs)
        return [*graphs, self._joined[1]]

    def both(self, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(n, d) of behaviour and of content, of the nodes `rows` (n,) or of all."""
        views = self.views(self.signals(), self.graphs())
        behaviour, *single, fused = chosen([self.smoothed_nodes(), *views], rows)
        attended = [
            torch.softmax(attention(fused), 1) * view for attention, view in zip(self.attention, single, strict=True)
        ]
        return behaviour, self.preferred(behaviour, [*attended, fused]).mean(0)
