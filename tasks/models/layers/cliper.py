"""CLIPER: fuses several views of an item into one, weighted by their agreement with the image.

Wu, Huang, Yang, He, Tai, Zhang, Towards Bridging the Cross-modal Semantic Gap for Multi-modal Recommendation, 2024
(arXiv 2407.05420): encoders with a common space give a vector of each view and of the image; their cosine is the
agreement; a fusion layer combines views and cosines for the model that follows. It is trained with that model, not
applied once as preprocessing.
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
    """The views, the image that they are compared with, and the fusion."""

    fusion: Fusion = Field(default="attention", description="how views and their cosines with the image are fused")
    picture: str = Field(default="image", description="the modality that views are compared with")
    views: tuple[str, ...] = Field(default=(), description="the other modalities of its space; empty: all others")
    size: PositiveInt = Field(default=64, description="output width of mlp and attention")


class Fuser(nn.Module):
    """Maps views (n, views, d), cosines (n, views) and the image (n, d) to (n, width)."""

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
        """Fuse; each view is weighted by its cosine, the image by 1; attention is over views and image of one item."""
        tokens = torch.cat([views * cosines.unsqueeze(2), picture.unsqueeze(1)], 1)  # (n, views + 1, d)
        if self.fusion == "sum":
            return tokens.sum(1)
        if self.fusion == "concat":
            return tokens.flatten(1)
        if self.fusion == "mlp":
            weights: Tensor = self.out(functional.leaky_relu(self.hidden(tokens.flatten(1))))
            return weights
        query, key, value = self.query(tokens), self.key(tokens), self.value(tokens)  # (n, views + 1, size)
        return (torch.softmax(query @ key.mT / key.shape[2] ** 0.5, 2) @ value).mean(1)
