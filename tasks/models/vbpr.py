"""VBPR: BPR with projected content features (He, McAuley 2016), any number of modalities.

He, McAuley, VBPR: Visual Bayesian Personalized Ranking from Implicit Feedback, AAAI 2016, equation 4, with any number
of modalities instead of one image: s_ui = b_i + p_u . q_i + sum over modalities m of (t_u . E_m f_im + w_m . f_im).
"""

from __future__ import annotations

import functools
from typing import Annotated

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from tasks.data import Dataset
from tasks.models.families.gradient import GradientModel, Representations
from tasks.models.layers.content import Content, ContentOptions, project
from tasks.models.layers.gather import distinct, gather
from tasks.training import Batch, Choice, GradientConfig, bpr_loss, squared_norms


class VBPR(GradientModel):
    """Features of all modalities are standardised (`solvers/standardise.py`) and projected side by side.

    Terms that are equal for all items of a user (global mean, user bias) cancel in the pairwise loss and are left out.
    The L2 term is on vectors and biases as they enter the score, including projected content: if it were only on the
    tables, content would grow without bound and dominate the item's ID embedding.
    """

    name = "vbpr"
    uses_content = True
    ZERO = ("bias", "content_bias")

    class Config(ContentOptions, GradientConfig):
        """Sizes of both halves of a user's vector beside the options of the loop."""

        batch_size: PositiveInt = Field(default=8192, description="interactions a step, which projects many items")
        embedding_size: Annotated[PositiveInt, Choice((32, 64, 128))] = Field(64, description="of p_u and q_i")
        content_size: Annotated[PositiveInt, Choice((32, 64, 128))] = Field(
            64, description="of t_u and projected content"
        )

    config: Config

    def __init__(self, config: Config, data: Dataset) -> None:
        super().__init__(config, data)
        self.content = Content(data, self.name, config)
        users, items = data.train.shape
        width = sum(self.content.widths)
        self.users = nn.Parameter(
            torch.zeros(users, config.embedding_size + config.content_size)
        )  # (U, d + c): p_u, t_u
        self.items = nn.Parameter(torch.zeros(items, config.embedding_size))  # (I, d): q_i
        self.bias = nn.Parameter(torch.zeros(items, 1))  # (I, 1): b_i
        self.projection = nn.Parameter(torch.zeros(width, config.content_size))  # (sum of widths, c): all E_m
        self.content_bias = nn.Parameter(torch.zeros(width, 1))  # (sum of widths, 1): all w_m

    def loss(self, batch: Batch) -> Tensor:
        """Pairwise loss; each item of the batch is projected once, or all when the batch may hold most of them."""
        items, places = distinct(torch.cat([batch.positives, batch.negatives]), self.content.count)
        vectors, bias = self._items(items)
        (user,) = gather(self.users, batch.users)  # (n, d + c)
        positive, negative = gather(vectors, *places.chunk(2))  # (n, d + c) each
        biases = gather(bias, *places.chunk(2))  # (n, 1) each
        further = (user * (negative - positive)).sum(1)  # one product instead of two
        ranking = bpr_loss(biases[0].squeeze(1), further + biases[1].squeeze(1))
        return ranking + self.config.regularization * squared_norms(user, positive, negative, *biases)

    def _items(self, rows: Tensor | None) -> tuple[Tensor, Tensor]:
        """Vectors (n, d + c) and biases (n, 1) of some items, or of all."""
        own, bias = (table if rows is None else gather(table, rows)[0] for table in (self.items, self.bias))
        weights = torch.cat([self.projection, self.content_bias], 1).split(self.content.widths)  # (width, c + 1) each
        parts = [project(features, weight) for features, weight in zip(self.content(rows), weights, strict=True)]
        content = functools.reduce(torch.add, parts)  # (n, c + 1)
        return torch.cat([own, content[:, :-1]], 1), bias + content[:, -1:]

    def representations(self) -> Representations:
        """Return the user vectors, and the item vectors with content."""
        vectors, bias = self._items(None)
        return Representations(self.users, vectors, bias.squeeze(1))
