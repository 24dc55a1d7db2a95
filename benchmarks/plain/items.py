"""FREEDOM, LATTICE and MGCN, plain: item graphs come from an (items, items) table of cosines."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.plain import graphs
from benchmarks.plain.base import PlainGraph, pairwise
from tasks.training import Batch


class PlainItemGraph(PlainGraph):
    """A model with one item graph per modality."""

    item_graphs: list[Tensor]

    def build_item_graphs(self) -> None:
        """Dense ones."""
        k, weighted = self.config.neighbours, self.model.name != "freedom"
        with torch.no_grad():
            self.item_graphs = [graphs.neighbour_graph(rows, k, weighted=weighted) for rows in self.features]


class FREEDOM(PlainItemGraph):
    """FREEDOM: the item graph is frozen and sparse; features of all items are projected in every step."""

    def build_item_graphs(self) -> None:
        """Build the item graphs and sum them into one."""
        super().build_item_graphs()
        self.item_graph = sum(self.item_graphs).div(len(self.item_graphs)).to_sparse_coo()

    def start_epoch(self) -> None:
        """The edges our model has kept, weighed anew."""
        kept = self.model.sampled.matrix.to_sparse_coo().indices()
        degrees = torch.bincount(kept[0], minlength=len(self.graph)).float()
        weights = (degrees[kept[0]] * degrees[kept[1]]).rsqrt()
        self.thinned = torch.sparse_coo_tensor(kept, weights, self.graph.shape, check_invariants=True)

    def loss(self, batch: Batch) -> Tensor:
        """Return the BPR loss, and that of projected features."""
        users, items = self.smoothed(self.thinned)
        alike = self.own_items
        for _ in range(self.config.item_layers):
            alike = torch.sparse.mm(self.item_graph, alike)
        towers = [self.linear(f"towers.{place}", rows) for place, rows in enumerate(self.features)]
        content = sum(pairwise(users, tower, batch) for tower in towers)
        return pairwise(users, items + alike, batch) + self.config.content_weight * content + self.penalty(batch)


class LATTICE(PlainItemGraph):
    """LATTICE: the learned graph is dense and weighted in every step; neighbours change once per epoch, as in ours."""

    def start_epoch(self) -> None:
        """Find the nearest neighbours by projected features."""
        with torch.no_grad():
            self.near = [graphs.nearest(rows, self.config.neighbours) for rows in self.projected()]

    def projected(self) -> list[Tensor]:
        """Return the projected features of all items."""
        return [self.linear(f"projections.{place}", rows) for place, rows in enumerate(self.features)]

    def loss(self, batch: Batch) -> Tensor:
        """Return the BPR loss; item embeddings are combined with the normalised output of the item graph."""
        importance = torch.softmax(self.parameters["importance"], 0)
        graph, skip = torch.zeros(()), self.config.skip
        for share, initial, near, rows in zip(importance, self.item_graphs, self.near, self.projected(), strict=True):
            learned = graphs.normalise_graph(graphs.pairwise_cosines(rows).clamp(min=0) * near)
            graph = graph + share * (skip * initial + (1 - skip) * learned)
        users, items = self.smoothed(self.graph)
        alike = self.own_items
        for _ in range(self.config.item_layers):
            alike = graph @ alike
        return pairwise(users, items + functional.normalize(alike, dim=1), batch) + self.penalty(batch)


class MGCN(PlainItemGraph):
    """MGCN: sparse item graphs; every view is a COO product, and two more for its sums over users."""

    def build(self) -> None:
        """Build the graph and its (U, I) part."""
        super().build()
        self.to_users = graphs.to_users(self.graph, self.users)

    def build_item_graphs(self) -> None:
        """Sparse ones."""
        super().build_item_graphs()
        self.item_graphs = [graph.to_sparse_coo() for graph in self.item_graphs]

    def views(self) -> list[Tensor]:
        """Return (U + I, d) per modality."""
        views = []
        for place, (rows, graph) in enumerate(zip(self.features, self.item_graphs, strict=True)):
            gate = torch.sigmoid(self.linear(f"side.gates.{place}", self.linear(f"side.projections.{place}", rows)))
            items = self.own_items * gate
            for _ in range(self.config.item_layers):
                items = torch.sparse.mm(graph, items)
            views.append(torch.cat([torch.sparse.mm(self.to_users, items), items]))
        return views

    def loss(self, batch: Batch) -> Tensor:
        """Return the BPR loss of the sum of both terms, and their contrastive loss over the nodes of the batch."""
        behaviour, views = torch.cat(self.smoothed(self.graph)), self.views()
        queries = [self.linear("query", torch.tanh(self.linear("common", view))) for view in views]
        shares = torch.softmax(torch.cat(queries, 1), 1)
        shared = sum(shares[:, place, None] * view for place, view in enumerate(views))
        special = [
            torch.sigmoid(self.linear(f"side.preferences.{place}", behaviour)) * (view - shared)
            for place, view in enumerate(views)
        ]
        side = (shared + sum(special)) / (len(views) + 1)
        final = behaviour + side
        contrast = torch.zeros(())
        for rows in (batch.users.unique(), self.users + batch.positives.unique()):
            contrast = contrast + self.info_nce(side[rows], behaviour[rows])
        ranking = pairwise(final[: self.users], final[self.users :], batch)
        return ranking + self.penalty(batch) + self.config.contrast * contrast

    def info_nce(self, one: Tensor, other: Tensor) -> Tensor:
        """Return the InfoNCE loss: the mean of -log softmax at a row's partner."""
        one, other = functional.normalize(one, dim=1), functional.normalize(other, dim=1)
        own = torch.exp((one * other).sum(1) / self.config.temperature)
        return -torch.log(own / torch.exp(one @ other.T / self.config.temperature).sum(1)).mean()
