"""The user-item graph: how it is normalised, light graph convolution over it, and edge dropout."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from scipy import sparse
from torch import Tensor, nn

from tasks.data import Dataset
from tasks.models.layers.gather import gather, pairwise
from tasks.models.layers.sparse import propagate, torch_csr
from tasks.training import Batch, Choice, ModelConfig, Whole, squared_norms


class GraphOptions(ModelConfig):
    """Depth and width beside the options of the loop. A step costs a pass over the graph, so batches are large."""

    batch_size: PositiveInt = Field(default=8192, description="interactions per step")
    learning_rate: PositiveFloat = Field(default=5e-3, le=1, description="of Adam")
    regularization: NonNegativeFloat = Field(default=1e-3, description="weight of the squared norms of layer-0 rows")
    embedding_size: Annotated[PositiveInt, Choice((64, 128))] = Field(64, description="d")
    layers: Annotated[PositiveInt, Whole(1, 4)] = Field(2, le=8, description="convolutions over the user-item graph")


class BipartiteGraph(nn.Module):
    """Light graph convolution over `matrix`, the normalised graph (U + I, U + I) of interactions (U, I)."""

    matrix: Tensor

    def __init__(self, interactions: sparse.csr_matrix, layers: int) -> None:
        super().__init__()
        self.shape: tuple[int, int] = interactions.shape
        self.layers = layers
        self.register_buffer("matrix", torch_csr(normalise_bipartite(interactions)), persistent=False)

    def smooth(self, nodes: Tensor) -> Tensor:
        """Mean over layers of the propagated rows of all nodes (U + I, d)."""
        return propagate(self.matrix, nodes, self.layers)

    def split(self, nodes: Tensor) -> tuple[Tensor, Tensor]:
        """Rows of users (U, d) and rows of items (I, d)."""
        users, items = nodes.split(list(self.shape))
        return users, items

    def forward(self, nodes: Tensor) -> tuple[Tensor, Tensor]:
        """Users (U, d) and items (I, d) after the convolution."""
        return self.split(self.smooth(nodes))


def node_table(data: Dataset, size: int) -> nn.Parameter:
    """Embeddings (U + I, d) of layer 0, users first."""
    return nn.Parameter(torch.zeros(sum(data.train.shape), size))


def layer0_norms(nodes: Tensor, batch: Batch, users: int) -> Tensor:
    """Squared norms of the layer-0 rows of a batch: what L2 regularization is on in LightGCN and after."""
    rows = (batch.users, batch.positives + users, batch.negatives + users)
    return squared_norms(*gather(nodes, *rows))


def ranking_loss(users: Tensor, items: Tensor, nodes: Tensor, batch: Batch, weight: float) -> Tensor:
    """BPR of a batch by the vectors (U, d) and (I, d), plus `weight` times `layer0_norms` (LightGCN, equation 15)."""
    return pairwise(users, items, batch) + weight * layer0_norms(nodes, batch, len(users))


def normalise_bipartite(interactions: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return D^-1/2 A D^-1/2 of the graph A = [[0, R], [R', 0]] with R the (U, I) interactions.

    (U + I, U + I) float32, symmetric. A node without edges has a row of zeros. He et al., LightGCN, SIGIR 2020,
    equation 8.
    """
    return both_ways(normalise_part(interactions))


def normalise_part(interactions: sparse.csr_matrix) -> sparse.csr_matrix:
    """D_u^-1/2 R D_i^-1/2, the (U, I) float32 upper right part of the normalised graph."""
    users, items = (_inverse_root(degrees) for degrees in degrees_of(interactions))
    weights = np.repeat(users, np.diff(interactions.indptr)) * items[interactions.indices] * interactions.data
    return with_weights(interactions, weights)


def both_ways(part: sparse.csr_matrix) -> sparse.csr_matrix:
    """[[0, R], [R', 0]] of (U, I) R: its rows and those of its transpose, one after the other."""
    users, items = part.shape
    back = part.T.tocsr()
    kind = np.int64 if 2 * part.nnz >= 2**31 else part.indices.dtype
    indices = np.concatenate([part.indices.astype(kind) + users, back.indices])
    starts = np.concatenate([part.indptr.astype(kind), part.nnz + back.indptr[1:].astype(kind)])
    weights = np.concatenate([part.data, back.data])
    return sparse.csr_matrix((weights, indices, starts), shape=(users + items, users + items))


def with_weights(matrix: sparse.csr_matrix, weights: np.ndarray) -> sparse.csr_matrix:
    """The same edges with other weights, in 32 bits; the edges are shared."""
    edges = (weights.astype(np.float32, copy=False), matrix.indices, matrix.indptr)
    return sparse.csr_matrix(edges, shape=matrix.shape)


def degrees_of(interactions: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """(U,) and (I,) float64."""
    users, items = (np.asarray(interactions.sum(axis=axis), dtype=np.float64).ravel() for axis in (1, 0))
    return users, items


def drop_edges(interactions: sparse.csr_matrix, share: float, rng: np.random.Generator) -> sparse.csr_matrix:
    """Edge dropout that is sensitive to degrees: interactions without `share` of them (FREEDOM, equation 9).

    The probability to keep an edge grows with 1 / sqrt(d_u d_i). Sampling without replacement by the smallest of
    exponential variables (Efraimidis, Spirakis, 2006), for any number of edges.
    """
    users, items = degrees_of(interactions)
    both = np.repeat(users, np.diff(interactions.indptr)) * items[interactions.indices]  # (edges,)
    times = rng.exponential(size=interactions.nnz) * np.sqrt(both)
    count = max(1, round(interactions.nnz * (1 - share)))
    kept = np.zeros(interactions.nnz, dtype=bool)
    kept[np.argpartition(times, count - 1)[:count]] = True
    starts = np.concatenate([[0], kept.cumsum()])[interactions.indptr]
    edges = (interactions.data[kept], interactions.indices[kept], starts)
    return sparse.csr_matrix(edges, shape=interactions.shape)


def _inverse_root(degrees: np.ndarray) -> np.ndarray:
    roots = np.zeros_like(degrees)
    np.power(degrees, -0.5, where=degrees > 0, out=roots)
    return roots
