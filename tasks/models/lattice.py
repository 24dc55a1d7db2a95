"""LATTICE: a graph of items that is learned with the model, by projected content, one layer beside LightGCN.

Zhang, Zhu, Liu, Wu, Wang, Wang, Mining Latent Structures for Multimedia Recommendation, MM 2021.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from tasks.data import Dataset
from tasks.models.families.graph_content import ItemGraphConfig, ItemGraphModel, pairwise
from tasks.models.layers.content import Projection
from tasks.models.layers.fixed_degree_graph import Edges
from tasks.models.layers.item_graph import ItemGraph, cosines, joined, mixed, nearest, normalised
from tasks.training import Batch, Real, Space


class LATTICE(ItemGraphModel):
    """Item = LightGCN + h / |h| with h from the item graph: skip x initial + (1 - skip) x learned.

    Who the neighbours in the learned graph are is found once an epoch, and for scoring; how much each counts is learned
    in every step. No (items, items) matrix is ever made: a graph is k weights for each item.
    """

    name = "lattice"
    SEARCH: ClassVar[Space] = {**ItemGraphModel.SEARCH, "skip": Real(0.3, 1)}

    class Config(ItemGraphConfig):
        """Beside the options of the loop and the graphs."""

        skip: float = Field(default=0.9, ge=0, le=1, description="lambda: share of the initial graph")
        projection_size: int = Field(default=64, ge=1, description="width of the projected content")

    config: Config

    def __init__(self, config: Config, data: Dataset) -> None:
        super().__init__(config, data)
        self.projections = nn.ModuleList(Projection(width, config.projection_size) for width in self.content.widths)
        self.importance = nn.Parameter(torch.zeros(len(self.content.widths)))  # softmax of it weighs the modalities
        self._learned: list[Edges] | None = None  # of the projected content, by modality
        self._every: Edges | None = None  # of both graphs

    def train(self, mode: bool = True) -> LATTICE:
        """The neighbours by projected content are found anew."""
        self._learned = None
        super().train(mode)
        return self

    def start_epoch(self, rng: np.random.Generator) -> None:
        """Find the neighbours of this epoch."""
        del rng
        self._learned = None

    def item_graph(self) -> ItemGraph:
        """Initial and learned graphs of all modalities, by skip and importance."""
        every = zip(self.projections, self.content(), strict=True)
        # Items that lack a modality are all at the bias of its projection, and would be each other's neighbours.
        projected = [self.content.of_those_that_have(place, layer(rows)) for place, (layer, rows) in enumerate(every)]
        if self._learned is None or self._every is None:
            self._learned = [Edges(nearest(rows, self.config.neighbours)) for rows in projected]
            self._every = joined([*(graph.edges for graph in self.item_graphs()), *self._learned])
        learned = [
            normalised(edges, cosines(rows, edges)) for edges, rows in zip(self._learned, projected, strict=True)
        ]
        importance = torch.softmax(self.importance, 0)
        shares = torch.cat([self.config.skip * importance, (1 - self.config.skip) * importance])
        return mixed(self._every, [*self.item_graphs(), *learned], shares)

    def loss(self, batch: Batch) -> Tensor:
        """Pairwise loss."""
        return pairwise(*self.final(), batch) + self.penalty(batch)

    def final(self) -> tuple[Tensor, Tensor]:
        """Users of LightGCN, items with what the item graph says."""
        users, items = self.smoothed()
        alike = self.item_graph().propagate(self.halves(self.nodes)[1], self.config.item_layers)
        return users, items + functional.normalize(alike, dim=1)
