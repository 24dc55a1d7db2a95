"""The mean over a node's neighbours in the user-item graph (MMGCN)."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from torch import Tensor, nn

from tasks.models.layers.graph import both_ways, degrees_of, with_weights
from tasks.models.layers.sparse import product, torch_csr


class MeanGraph(nn.Module):
    """(U + I, d) means over neighbours of the rows of all nodes, users first."""

    matrix: Tensor
    back: Tensor

    def __init__(self, interactions: sparse.csr_matrix) -> None:
        super().__init__()
        for name, side in zip(("matrix", "back"), mean_over_neighbours(interactions), strict=True):
            self.register_buffer(name, torch_csr(side), persistent=False)

    def forward(self, nodes: Tensor) -> Tensor:
        """The means; the gradient passes over the transpose."""
        return product(self.matrix, self.back, nodes)


def mean_over_neighbours(interactions: sparse.csr_matrix) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """D^-1 A of the bipartite graph and its transpose A D^-1, (U + I, U + I) float32, with the same edges."""
    graph = both_ways(interactions)
    shares = (1 / np.maximum(np.concatenate(degrees_of(interactions)), 1)).astype(np.float32)  # (U + I,)
    forth, back = np.repeat(shares, np.diff(graph.indptr)), shares[graph.indices]
    return with_weights(graph, forth * graph.data), with_weights(graph, back * graph.data)
