"""User-item graphs built edge by edge as COO tensors, and item graphs from all cosines at once."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tasks.data import Dataset


def bipartite(data: Dataset) -> Tensor:
    """Return D^-1/2 A D^-1/2, (U + I, U + I), built with a dict of edges."""
    users, items = data.train.shape
    edges: dict[tuple[int, int], float] = {}
    for user, item in zip(*data.train.nonzero(), strict=True):
        edges[int(user), users + int(item)] = edges[users + int(item), int(user)] = 1.0
    degrees = [0] * (users + items)
    for row, _ in edges:
        degrees[row] += 1
    weights = [1 / math.sqrt(degrees[row] * degrees[column]) for row, column in edges]
    return torch.sparse_coo_tensor(
        torch.tensor(list(edges)).T, weights, (users + items, users + items), check_invariants=True
    )


def to_users(graph: Tensor, users: int) -> Tensor:
    """Return the (U, I) upper right part of the graph."""
    (rows, columns), weights = graph._indices(), graph._values()
    kept = rows < users
    places = torch.stack([rows[kept], columns[kept] - users])
    return torch.sparse_coo_tensor(places, weights[kept], (users, len(graph) - users), check_invariants=True)


def pairwise_cosines(rows: Tensor) -> Tensor:
    """Return (I, I) cosine similarities, with gradients."""
    units = torch.nn.functional.normalize(rows, eps=1e-12)
    return units @ units.T


def nearest(rows: Tensor, k: int) -> Tensor:
    """Return (I, I) bool: whether an item is one of the `k` nearest neighbours of another."""
    with torch.no_grad():
        cosines = pairwise_cosines(rows).fill_diagonal_(-math.inf)
        return torch.zeros_like(cosines, dtype=torch.bool).scatter_(1, cosines.topk(k, dim=1).indices, True)


def normalise_graph(weights: Tensor) -> Tensor:
    """Return D^-1/2 A D^-1/2 of a dense (I, I) graph."""
    root = weights.sum(1).clamp(min=1e-12).rsqrt()
    return root[:, None] * weights * root


def neighbour_graph(rows: Tensor, k: int, *, weighted: bool) -> Tensor:
    """Return the dense normalised (I, I) KNN graph, with cosines or ones as edges."""
    weights = pairwise_cosines(rows).clamp(min=0) * nearest(rows, k)
    return normalise_graph(weights if weighted else (weights > 0).float())
