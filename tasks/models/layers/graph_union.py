"""The union of item graphs (SMORE)."""

from __future__ import annotations

import torch

from tasks.models.layers.item_graph import CELLS, ItemGraph, join_edges, normalised


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
    return normalised(edges, torch.cat(kept))
