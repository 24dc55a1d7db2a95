"""BM3: self-supervised without negatives: embeddings predict perturbed copies of themselves (Zhou et al. 2023).

Zhou, Zhou, Liu, Zeng, Miao, Wang, You, Jiang, Bootstrap Latent Representations for Multi-modal Recommendation, WWW
2023.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat
from torch import Tensor, nn

from tasks.data import Dataset
from tasks.models.families.gradient import GradientModel, Representations
from tasks.models.layers.content import Content, ContentOptions, Projections
from tasks.models.layers.gather import gather
from tasks.models.layers.graph import BipartiteGraph, GraphOptions, node_table
from tasks.training import Batch, GradientConfig, Real, cosine_distance, squared_norms


class BM3(GradientModel):
    """Vectors are those of LightGCN, of items with their own added; the score is the product of both predictions.

    Loss: user and item predict each other; the content of an item, if it has any, predicts the item and itself. Targets
    are perturbed by dropout and get no gradient, so in the paper's loss content changes items only through the
    predictor; with `grounding` items also predict their content.
    """

    name = "bm3"
    uses_content = True
    NORMAL = ("nodes",)

    class Config(GraphOptions, ContentOptions, GradientConfig):
        """Beside the options of the loop and the graph."""

        layers: int = Field(default=1, ge=1, le=8, description="how far the user-item graph is followed")
        dropout: Annotated[float, Real(0.1, 0.7)] = Field(
            0.3, ge=0, lt=1, description="share of a target's numbers that are dropped"
        )
        content_weight: Annotated[NonNegativeFloat, Real(0.05, 3, log=True)] = Field(
            2.0, description="of the two losses of content"
        )
        grounding: Annotated[NonNegativeFloat, Real(0, 0.5)] = Field(
            0.1, description="of items predicting their content; paper: 0"
        )

    config: Config

    def __init__(self, config: Config, data: Dataset) -> None:
        super().__init__(config, data)
        self.content, size = Content(data, self.name, config), config.embedding_size
        self.nodes = node_table(data, size)  # (U + I, d), users first
        self.graph = BipartiteGraph(data.train, config.layers)
        self.predictor = nn.Linear(size, size)
        self.projections = Projections(self.content, size)
        self._chance = torch.Generator().manual_seed(0)

    def initialise(self, generator: torch.Generator) -> None:
        """As all models; the predictor begins as the identity, which changes nothing yet."""
        super().initialise(generator)
        nn.init.eye_(self.predictor.weight)

    def start_epoch(self, rng: np.random.Generator) -> None:
        """Seed the dropout of this epoch."""
        self._chance = torch.Generator(self.nodes.device).manual_seed(int(rng.integers(2**62)))

    def loss(self, batch: Batch) -> Tensor:
        """Return the loss of the positive pairs of a batch."""
        users, items = self._vectors()
        (user,), (item,) = gather(users, batch.users), gather(items, batch.positives)
        total = cosine_distance(self.predictor(user), self._target(item))
        total = total + cosine_distance(self.predictor(item), self._target(user))
        tables, rows = self.projections.of(self.content, batch.positives)
        weight, grounding = self.config.content_weight, self.config.grounding
        for place, table in enumerate(tables):
            (content,) = gather(table, rows)
            predicted = self.content.mask(place, self.predictor(content), batch.positives)
            total = total + weight * cosine_distance(predicted, self._target(item))
            total = total + grounding * cosine_distance(self.predictor(item), self._target(content))
            total = total + weight * cosine_distance(predicted, self._target(content))
        own = gather(self.nodes, batch.users, batch.positives + self.data.train.shape[0])
        return total + self.config.regularization * squared_norms(*own)

    def _target(self, rows: Tensor) -> Tensor:
        """Return a copy without gradient, with dropout."""
        keep = 1 - self.config.dropout
        kept = torch.rand(rows.shape, generator=self._chance, device=rows.device) < keep
        return rows.detach() * kept / keep

    def _vectors(self) -> tuple[Tensor, Tensor]:
        users, items = self.graph(self.nodes)
        return users, items + self.graph.split(self.nodes)[1]

    def representations(self) -> Representations:
        """Predictions."""
        users, items = self._vectors()
        return Representations(self.predictor(users), self.predictor(items))
