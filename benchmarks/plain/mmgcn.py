"""MMGCN, plain: every edge has its own message, as wide as the embeddings or as the features."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.plain.base import Plain, pairwise
from tasks.models.families.gradient import GradientModel
from tasks.training import Batch

NARROW = 256


class MMGCN(Plain):
    """The loss of our model: features are projected before propagation."""

    def build(self) -> None:
        """Build (2, edges) in both directions, from a list, and the degrees of the nodes."""
        edges = [(int(user), self.users + int(item)) for user, item in zip(*self.data.train.nonzero(), strict=True)]
        edges += [(item, user) for user, item in edges]
        self.edges = torch.tensor(edges).T
        self.degrees = torch.bincount(self.edges[1], minlength=sum(self.data.train.shape)).clamp(min=1)[:, None]

    def passed(self, x: Tensor) -> Tensor:
        """Return the mean over neighbours."""
        messages = x.index_select(0, self.edges[0])  # (edges, width)
        into = self.edges[1][:, None].expand_as(messages)
        return torch.zeros_like(x).scatter_add(0, into, messages) / self.degrees

    def loss(self, batch: Batch) -> Tensor:
        """Return the BPR loss of the mean over modalities."""
        outputs = [self.last(place) for place in range(len(self.features))]
        final = torch.stack(outputs).mean(0)
        nodes, preferences = self.parameters["nodes"], self.parameters["users"]
        ranking = pairwise(final[: self.users], final[self.users :], batch)
        own = nodes[batch.users], nodes[self.users + batch.positives], nodes[self.users + batch.negatives]
        return ranking + self.norms(*own) + self.norms(*(table[batch.users] for table in preferences))

    def first(self, modality: int) -> Tensor:
        """Return the users' preferences and the items' projected features."""
        items = self.linear(f"projections.{modality}", self.features[modality])
        return torch.cat([self.parameters["users"][modality], items])

    def last(self, modality: int) -> Tensor:
        """Return (U + I, d) of one modality."""
        x = functional.normalize(self.first(modality), dim=1)
        for layer in range(self.config.layers):
            place = modality * self.config.layers + layer
            passed = functional.leaky_relu(self.passed(self.linear(f"passing.{place}", x)))
            own = functional.leaky_relu(self.linear(f"own.{place}", x)) + self.parameters["nodes"]
            x = functional.leaky_relu(self.linear(f"joining.{place}", passed) + own)
        return x


class WideMMGCN(MMGCN):
    """MMGCN as published: preferences are as wide as the item features, and the first layer propagates that width.

    The last modality (text) keeps the width of its features, the others are projected to 256. So the loss differs from
    ours; memory is proportional to edges times feature width.
    """

    def __init__(self, model: GradientModel) -> None:
        super().__init__(model)
        size, layers = self.config.embedding_size, self.config.layers
        for place, rows in enumerate(self.features):
            width = rows.shape[1] if place == len(self.features) - 1 else NARROW
            shapes = {
                f"preferences.{place}": (self.users, width),
                f"narrow.{place}.weight": (NARROW, rows.shape[1]),
                f"passing.{place * layers}.weight": (width, width),
                f"own.{place * layers}.weight": (size, width),
                f"joining.{place * layers}.weight": (size, width),
            }
            own = {name: (torch.randn(shape) * 0.01).requires_grad_() for name, shape in shapes.items()}
            self.parameters |= own
        self.optimizer = torch.optim.Adam(self.parameters.values(), lr=1e-3, foreach=False, fused=False)

    def first(self, modality: int) -> Tensor:
        """Return rows as wide as the features, or 256."""
        preferences, items = self.parameters[f"preferences.{modality}"], self.features[modality]
        if preferences.shape[1] != items.shape[1]:
            items = self.linear(f"narrow.{modality}", items)
        return torch.cat([preferences, items])
