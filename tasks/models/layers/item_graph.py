"""KNN graphs of items by their content: k neighbours of each, never (items, items) at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from tasks.models.layers.content import Content
from tasks.models.layers.fixed_degree_graph import Edges, products, weighted_sums
from tasks.models.layers.kept import Kept
from tasks.training import ModelConfig, Whole

CELLS = 2**23  # size of a block: 32 MiB of cosines


class ItemGraphOptions(ModelConfig):
    """For models that follow KNN graphs of items."""

    neighbours: Annotated[PositiveInt, Whole(5, 40, log=True)] = Field(10, description="k nearest, by modality")
    item_layers: PositiveInt = Field(1, le=4, description="convolutions over the item graph")


@dataclass(frozen=True)
class ItemGraph:
    """`edges` of an item graph and their `weights` (I, k); a weight of 0 means no edge."""

    edges: Edges
    weights: Tensor

    def product(self, x: Tensor) -> Tensor:
        """Return (I, d): the weighted sum of the neighbours' rows of `x` (I, d); both get gradients."""
        return weighted_sums(self.edges, self.weights.to(x.dtype), x)

    def propagate(self, x: Tensor, layers: int) -> Tensor:
        """Return `x` after `layers` products with the graph."""
        for _ in range(layers):
            x = self.product(x)
        return x


def nearest(rows: Tensor, k: int) -> Tensor:
    """Return for each row of (I, d) the `k` other rows with the highest cosine, (I, k) int64, nearest first.

    A row of zeros is similar to nothing: it comes after all others, and it is itself each of its own neighbours.
    """
    with torch.no_grad():
        units = functional.normalize(rows.float(), eps=1e-12)
        items, k = len(units), min(k, len(units) - 1)
        every, zero = torch.arange(items, device=rows.device), ~units.any(1)
        far = torch.where(zero, -2.0, 0.0)  # ranks an item without content below any cosine
        size = max(1, CELLS // items)
        neighbours = every.new_empty((items, k))
        table = units.new_empty((min(size, items), items))  # reused by all blocks, to avoid fragmentation of the heap
        for start in range(0, items, size):
            own = every[start : start + size]
            block = torch.addmm(far, units[own], units.T, out=table[: len(own)])  # (block, I)
            block[own - start, own] = -3.0  # an item is not its own neighbour
            neighbours[own] = torch.topk(block, k, dim=1).indices
        neighbours[zero] = every[zero, None]
        return neighbours


def cosines(rows: Tensor, edges: Edges) -> Tensor:
    """Return (I, k) cosines of each row with its neighbours, with gradients; 0 for negative ones and for itself."""
    units = functional.normalize(rows, eps=1e-12)
    own = torch.arange(len(rows), device=rows.device).unsqueeze(1)
    return products(edges, units, units).clamp(min=0).masked_fill(edges.to == own, 0.0)


def normalise_graph(edges: Edges, weights: Tensor) -> ItemGraph:
    """Return D^-1/2 A D^-1/2 of a directed graph, with D the row sums of A (LATTICE)."""
    degrees = weights.sum(1, keepdim=True)
    root = degrees.clamp(min=1e-12).rsqrt() * (degrees > 0)  # (I, 1)
    return ItemGraph(edges, weights * products(edges, root, root))


def neighbour_graph(rows: Tensor, k: int, *, weighted: bool) -> ItemGraph:
    """Return the normalised KNN graph, with cosines or, if not `weighted`, ones as edges."""
    edges = Edges(nearest(rows, k))
    weights = cosines(rows.float(), edges).detach()
    return normalise_graph(edges, weights if weighted else (weights > 0).to(weights.dtype))


class KNNGraphs(nn.Module):
    """What `combine` makes of the KNN graphs of all modalities, of what content is now.

    Where content is learned they are built anew for every epoch and every scoring; otherwise once.
    """

    def __init__(
        self, content: Content, k: int, combine: Callable[[list[ItemGraph]], Any], *, weighted: bool = True
    ) -> None:
        super().__init__()
        self.k, self.weighted, self.combine = k, weighted, combine
        self.kept = Kept(constant=not content.learns)

    def forward(self, content: Content) -> Any:  # noqa: ANN401  whatever `combine` gives
        """The graphs, combined."""
        return self.kept(lambda: self._build(content()))

    @torch.no_grad()
    def _build(self, tables: list[Tensor]) -> Any:  # noqa: ANN401
        return self.combine([neighbour_graph(table, self.k, weighted=self.weighted) for table in tables])


def join_edges(every: list[Edges]) -> Edges:
    """All edges of some graphs side by side, in the order in which `mix` weights them."""
    return Edges(torch.cat([edges.to for edges in every], 1))


def mix(edges: Edges, graphs: list[ItemGraph], shares: Tensor) -> ItemGraph:
    """The sum of graphs by their `shares` (graphs,), which may have gradients; `edges` are theirs, joined."""
    weights = [graph.weights.to(shares.dtype) * share for graph, share in zip(graphs, shares, strict=True)]
    return ItemGraph(edges, torch.cat(weights, 1))


def union(graphs: list[ItemGraph]) -> ItemGraph:
    """All edges of graphs; of an edge that several have, the heaviest (SMORE). Weights are normalised anew."""
    edges = join_edges([graph.edges for graph in graphs])
    weights = torch.cat([graph.weights for graph in graphs], 1)  # (I, edges)
    count = weights.shape[1]
    earlier = torch.ones((count, count), dtype=torch.bool, device=weights.device).tril(-1)
    kept = []
    size = max(1, CELLS // count**2)
    for to, own in zip(edges.to.split(size), weights.split(size), strict=True):
        same = to.unsqueeze(2) == to.unsqueeze(1)  # (block, edges, edges)
        heavier = own.unsqueeze(1) > own.unsqueeze(2)
        beaten = same & (heavier | (earlier & (own.unsqueeze(1) == own.unsqueeze(2))))
        kept.append(own.masked_fill(beaten.any(2), 0.0))
    return normalise_graph(edges, torch.cat(kept))
