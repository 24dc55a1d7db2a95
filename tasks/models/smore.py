"""SMORE: modalities filtered and fused in the frequency domain (Ong, Khong 2025).

Ong, Khong, Spectrum-based Modality Representation Fusion Graph Convolutional Network for Multimodal Recommendation,
WSDM 2025. Chosen among the best published models because it is fully specified, shares its graphs with MGCN, and
was independently reproduced to within about two per cent of its metrics.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tasks.data import Dataset
from tasks.models.families.gradient import GradientModel, Representations
from tasks.models.layers.content import Content
from tasks.models.layers.gather import gather_each
from tasks.models.layers.graph import BipartiteGraph, node_table
from tasks.models.layers.item_graph import KNNGraphs, union
from tasks.models.layers.side_view import SideOptions, SideView
from tasks.training import Batch


class SMORE(GradientModel):
    """Vector = LightGCN of ids + side; side = mean of the views of each modality and of their fusion, gated.

    A product of spectra is a convolution of signals: the fusion keeps the frequencies common to all modalities.
    """

    name = "smore"
    uses_content = True
    NORMAL = ("nodes",)
    Config = SideOptions
    config: SideOptions

    def __init__(self, config: SideOptions, data: Dataset) -> None:
        super().__init__(config, data)
        self.content, size = Content(data, self.name, config), config.embedding_size
        self.nodes, self.graph = node_table(data, size), BipartiteGraph(data.train, config.layers)
        self.side, modalities = SideView(self.content, self.graph, config, fused=1), len(self.content.widths)
        # (views, frequencies, 2): real and imaginary part; the last view is the fusion
        self.filters = nn.Parameter(torch.zeros(modalities + 1, size // 2 + 1, 2))
        self.attention = nn.ModuleList(
            nn.Sequential(nn.Linear(size, size), nn.Tanh(), nn.Linear(size, size, bias=False))
            for _ in range(modalities)
        )
        self.item_graphs = KNNGraphs(self.content, config.neighbours, lambda graphs: [*graphs, union(graphs)])

    def initialise(self, generator: torch.Generator) -> None:
        """Initialise like all models with a graph; filters start near the identity."""
        super().initialise(generator)
        nn.init.normal_(self.filters, std=0.02, generator=generator)
        with torch.no_grad():
            self.filters[..., 0] += 1

    def signals(self) -> list[Tensor]:
        """(I, d) of each modality, filtered, and of the fusion."""
        spectra = torch.stack(
            [torch.fft.rfft(rows, dim=1, norm="ortho") for rows in self.side.projections(self.content)]
        )
        every = torch.cat([spectra, spectra.prod(0, keepdim=True)]) * torch.view_as_complex(self.filters).unsqueeze(1)
        return list(torch.fft.irfft(every, n=self.config.embedding_size, dim=2, norm="ortho"))

    def both(self, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(n, d) of behaviour and of content, of the nodes `rows` (n,) or of all."""
        views = self.side.views(self.nodes, self.signals(), self.item_graphs(self.content))
        behaviour, *single, fused = gather_each([self.graph.smooth(self.nodes), *views], rows)
        attended = [
            torch.softmax(attention(fused), 1) * view for attention, view in zip(self.attention, single, strict=True)
        ]
        return behaviour, self.side.preferred(behaviour, [*attended, fused]).mean(0)

    def loss(self, batch: Batch) -> Tensor:
        """Pairwise loss, and that behaviour and content of one node agree."""
        return self.side.loss(self.both, self.nodes, batch)

    def representations(self) -> Representations:
        """The sum of both."""
        return Representations(*self.graph.split(torch.add(*self.both())))
