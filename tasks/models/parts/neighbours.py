"""Items that are alike by their content: k neighbours of each, never (items, items) at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

CELLS = 2**22  # of the block of cosines that is held at once: 16 MiB


@dataclass(frozen=True)
class ItemGraph:
    """Edges of an item graph, as many for each item: `neighbours` (I, k) int64 and `weights` (I, k).

    A weight of 0 is no edge.
    """

    neighbours: Tensor
    weights: Tensor

    def product(self, x: Tensor) -> Tensor:
        """(I, d) sums of the neighbours' rows of `x` (I, d), by their weights; both get gradients."""
        return functional.embedding_bag(
            self.neighbours, x, per_sample_weights=self.weights.to(x.dtype), mode="sum", sparse=False
        )

    def propagate(self, x: Tensor, layers: int) -> Tensor:
        """The last of `layers` products."""
        for _ in range(layers):
            x = self.product(x)
        return x

    def to(self, device: torch.device) -> ItemGraph:
        """The same on another device."""
        return ItemGraph(self.neighbours.to(device), self.weights.to(device))


def nearest(rows: Tensor, k: int) -> Tensor:
    """The `k` other rows of (I, d) with the highest cosine, (I, k) int64, nearest first.

    A row of zeros is like nothing: others come before it, and itself stands for each of its own neighbours.
    """
    with torch.no_grad():
        units = functional.normalize(rows.float(), eps=1e-12)
        items, k = len(units), min(k, len(units) - 1)
        zero = ~units.any(1)
        found = []
        size = max(1, CELLS // items)
        for start in range(0, items, size):
            block = units[start : start + size] @ units.T  # (block, I)
            block[:, zero] = -2.0  # below any cosine
            own = torch.arange(start, min(start + size, items), device=rows.device)
            block[own - start, own] = -3.0  # an item is not its own neighbour
            found.append(torch.topk(block, k, dim=1).indices)
        neighbours = torch.cat(found)
        neighbours[zero] = torch.arange(items, device=rows.device)[zero, None]
        return neighbours


def cosines(rows: Tensor, neighbours: Tensor) -> Tensor:
    """(I, k) cosines of each row with its neighbours, with gradients; 0 for those below 0 and for a row itself."""
    units = functional.normalize(rows, eps=1e-12)
    found = (units.unsqueeze(1) * functional.embedding(neighbours, units)).sum(2)
    own = torch.arange(len(rows), device=rows.device).unsqueeze(1)
    return found.clamp(min=0).masked_fill(neighbours == own, 0.0)


def normalised(neighbours: Tensor, weights: Tensor) -> ItemGraph:
    """D^-1/2 A D^-1/2 of a directed graph, with D the sums of the rows of A (LATTICE)."""
    degrees = weights.sum(1)
    root = degrees.clamp(min=1e-12).rsqrt() * (degrees > 0)
    return ItemGraph(
        neighbours, weights * root.unsqueeze(1) * functional.embedding(neighbours, root[:, None]).squeeze(2)
    )


def neighbour_graph(rows: Tensor, k: int, *, weighted: bool) -> ItemGraph:
    """The normalised graph of the `k` nearest, its edges cosines or, unweighted, ones."""
    neighbours = nearest(rows, k)
    weights = cosines(rows, neighbours).detach()
    return normalised(neighbours, weights if weighted else (weights > 0).to(weights.dtype))


def mixed(graphs: list[ItemGraph], weights: Tensor) -> ItemGraph:
    """The sum of graphs by their `weights` (graphs,), which may have gradients."""
    edges = [graph.weights.to(weights.dtype) * weight for graph, weight in zip(graphs, weights, strict=True)]
    return ItemGraph(torch.cat([graph.neighbours for graph in graphs], 1), torch.cat(edges, 1))


def union(graphs: list[ItemGraph]) -> ItemGraph:
    """All edges of graphs; of an edge that several have, the heaviest (SMORE). Weights are normalised anew."""
    neighbours = torch.cat([graph.neighbours for graph in graphs], 1)  # (I, edges)
    weights = torch.cat([graph.weights for graph in graphs], 1)
    same = neighbours.unsqueeze(2) == neighbours.unsqueeze(1)  # (I, edges, edges)
    heavier = weights.unsqueeze(1) > weights.unsqueeze(2)
    earlier = torch.ones(same.shape[1:], dtype=torch.bool, device=weights.device).tril(-1)
    beaten = same & (heavier | (earlier & (weights.unsqueeze(1) == weights.unsqueeze(2))))
    return normalised(neighbours, weights.masked_fill(beaten.any(2), 0.0))
