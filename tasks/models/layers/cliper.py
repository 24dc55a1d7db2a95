"""CLIPER: several views of an item, each as far as it agrees with the picture, fused into one.

Wu, Huang, Yang, He, Tai, Zhang, Towards Bridging the Cross-modal Semantic Gap for Multi-modal Recommendation, 2024
(arXiv 2407.05420): encoders with a common space give a vector of each view and of the picture; the cosine of both says
how far the view agrees with it; a fusion layer joins views and cosines for whatever model follows. It is trained with
that model, never applied once.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from tasks.training import ModelConfig

Fusion = Literal["sum", "concat", "mlp", "attention"]


class FrontEnd(ModelConfig):
    """Which modalities are views of which, and how they become one."""

    fusion: Fusion = Field(default="attention", description="how views and their cosines with the picture are joined")
    picture: str = Field(default="image", description="the modality that views are compared with")
    views: tuple[str, ...] = Field(default=(), description="the other modalities of its space; none named: all others")
    size: PositiveInt = Field(default=64, description="width of what mlp and attention give")


class Fuser(nn.Module):
    """(n, views, d) views and (n, views) cosines, and the picture (n, d), to (n, width)."""

    def __init__(self, fusion: Fusion, views: int, dimensions: int, size: int) -> None:
        super().__init__()
        self.fusion = fusion
        tokens = views + 1
        self.width = {"sum": dimensions, "concat": tokens * dimensions}.get(fusion, size)
        if fusion == "mlp":
            self.hidden, self.out = nn.Linear(tokens * dimensions, size), nn.Linear(size, size)
        if fusion == "attention":
            self.query, self.key, self.value = (nn.Linear(dimensions, size, bias=False) for _ in range(3))

    def forward(self, views: Tensor, cosines: Tensor, picture: Tensor) -> Tensor:
        """Each view is weighed by its cosine, the picture by 1; attention is over views and picture of one item."""
        tokens = torch.cat([views * cosines.unsqueeze(2), picture.unsqueeze(1)], 1)  # (n, views + 1, d)
        if self.fusion == "sum":
            return tokens.sum(1)
        if self.fusion == "concat":
            return tokens.flatten(1)
        if self.fusion == "mlp":
            found: Tensor = self.out(functional.leaky_relu(self.hidden(tokens.flatten(1))))
            return found
        query, key, value = self.query(tokens), self.key(tokens), self.value(tokens)  # (n, views + 1, size)
        return (torch.softmax(query @ key.mT / key.shape[2] ** 0.5, 2) @ value).mean(1)
