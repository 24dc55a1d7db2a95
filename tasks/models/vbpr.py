"""VBPR: matrix factorisation whose items also have vectors projected from their content.

He, McAuley, VBPR: Visual Bayesian Personalized Ranking from Implicit Feedback, AAAI 2016, equation 4, with any number
of modalities instead of one picture: s_ui = b_i + p_u . q_i + sum over modalities m of (t_u . E_m f_im + w_m . f_im).
"""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from tasks.data import Dataset
from tasks.models.parts.content import ContentConfig, ContentModel
from tasks.models.parts.gradient import GradientModel, Representations
from tasks.training import Batch, Choice, Space, bpr_loss, squared_norms


class VBPR(ContentModel):
    """Features of all modalities are standardised (`parts/features.py`) and projected side by side.

    Terms that are alike for all items of a user (global mean, user bias) cancel in the pairwise loss and are left out.
    The L2 term is on vectors and biases as they enter the score, projected content included: with it on the tables
    alone, content grows freely and drowns what an item's own vector has learned.
    """

    name = "vbpr"
    SEARCH: ClassVar[Space] = {
        **GradientModel.SEARCH,
        "embedding_size": Choice((32, 64, 128)),
        "content_size": Choice((32, 64, 128)),
    }

    class Config(ContentConfig):
        """Sizes of both halves of a user's vector beside the options of the loop."""

        batch_size: PositiveInt = Field(default=8192, description="interactions a step, which projects many items")
        embedding_size: PositiveInt = Field(default=64, description="size of p_u and q_i")
        content_size: PositiveInt = Field(default=64, description="size of t_u and of what content is projected to")

    config: Config

    def __init__(self, config: Config, data: Dataset) -> None:
        super().__init__(config, data)
        users, items = data.train.shape
        width = sum(self.content.widths)
        self.users = nn.Parameter(
            torch.zeros(users, config.embedding_size + config.content_size)
        )  # (U, d + c): p_u, t_u
        self.items = nn.Parameter(torch.zeros(items, config.embedding_size))  # (I, d): q_i
        self.bias = nn.Parameter(torch.zeros(items, 1))  # (I, 1): b_i
        self.projection = nn.Parameter(torch.zeros(width, config.content_size))  # (sum of widths, c): all E_m
        self.content_bias = nn.Parameter(torch.zeros(width, 1))  # (sum of widths, 1): all w_m

    def initialise(self, generator: torch.Generator) -> None:
        """Xavier-uniform tables and projection, no bias."""
        super().initialise(generator)
        nn.init.zeros_(self.bias)
        nn.init.zeros_(self.content_bias)

    def loss(self, batch: Batch) -> Tensor:
        """Pairwise loss; each item of the batch is projected once, or all when the batch may hold most of them."""
        items, places = None, torch.cat([batch.positives, batch.negatives])
        if len(places) < len(self.items):  # otherwise copying feature rows costs more than it saves
            items, places = torch.unique(places, return_inverse=True)
        vectors, bias = self._items(items)
        user = functional.embedding(batch.users, self.users)  # (n, d + c)
        both = functional.embedding(places, vectors)  # (2n, d + c): positives, then negatives
        bias_of = functional.embedding(places, bias)  # (2n, 1)
        positive, negative = ((user.repeat(2, 1) * both).sum(1) + bias_of.squeeze(1)).chunk(2)
        penalty = squared_norms(user, *both.chunk(2), *bias_of.chunk(2))
        return bpr_loss(positive, negative) + self.config.regularization * penalty

    def _items(self, rows: Tensor | None) -> tuple[Tensor, Tensor]:
        """Vectors (n, d + c) and biases (n, 1) of some items, or of all."""
        own, bias = (table if rows is None else functional.embedding(rows, table) for table in (self.items, self.bias))
        features = torch.cat(self.content(rows), 1)
        return torch.cat([own, features @ self.projection], 1), bias + features @ self.content_bias

    def representations(self) -> Representations:
        """User vectors as learned; item vectors with their content."""
        vectors, bias = self._items(None)
        return Representations(self.users, vectors, bias.squeeze(1))
