"""BPR, VBPR and LightGCN, plain: all items are projected and all tables updated in every step."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.plain.base import Plain, PlainGraph, pairwise
from tasks.training import Batch


class BPR(Plain):
    """Two tables."""

    def loss(self, batch: Batch) -> Tensor:
        """Return the BPR loss and the norms of the rows."""
        users, items = self.parameters["users"], self.parameters["items"]
        rows = users[batch.users], items[batch.positives], items[batch.negatives]
        return pairwise(users, items, batch) + self.norms(*rows)


class VBPR(Plain):
    """VBPR: ID embeddings and projected features of all items, concatenated."""

    def loss(self, batch: Batch) -> Tensor:
        """Return the BPR loss with biases, and the norms of the vectors in the score."""
        features, own = torch.cat(self.features, 1), self.parameters
        items = torch.cat([own["items"], features @ own["projection"]], 1)
        bias = own["bias"] + features @ own["content_bias"]
        user, positive, negative = own["users"][batch.users], items[batch.positives], items[batch.negatives]
        biases = bias[batch.positives], bias[batch.negatives]
        margin = (user * positive).sum(1) - (user * negative).sum(1) + (biases[0] - biases[1]).squeeze(1)
        return -torch.log(torch.sigmoid(margin)).mean() + self.norms(user, positive, negative, *biases)


class LightGCN(PlainGraph):
    """LightGCN: sparse products of COO tensors under autograd."""

    def loss(self, batch: Batch) -> Tensor:
        """Return the BPR loss of the propagated embeddings and the norms of layer 0."""
        return pairwise(*self.smoothed(self.graph), batch) + self.penalty(batch)
