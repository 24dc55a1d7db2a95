"""BPR-MF: matrix factorisation with a pairwise ranking loss (Rendle et al. 2009).

Rendle, Freudenthaler, Gantner, Schmidt-Thieme, BPR: Bayesian Personalized Ranking from Implicit Feedback, UAI 2009.
"""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from tasks.data import Dataset
from tasks.models.families.gradient import GradientModel, Representations
from tasks.models.layers.gather import gather
from tasks.training import Batch, Choice, GradientConfig, bpr_of_vectors, squared_norms


class BPR(GradientModel):
    """Score s_ui = p_u . q_i (section 4.3.1); loss -log sigmoid(s_ui - s_uj) and L2 on the batch's rows, by Adam."""

    name = "bpr"

    class Config(GradientConfig):
        """Embedding size, in addition to the options of the loop."""

        embedding_size: Annotated[PositiveInt, Choice((32, 64, 128))] = Field(64, description="d")

    config: Config

    def __init__(self, config: Config, data: Dataset) -> None:
        super().__init__(config, data)
        users, items = data.train.shape
        self.users = nn.Parameter(torch.zeros(users, config.embedding_size))  # (U, d)
        self.items = nn.Parameter(torch.zeros(items, config.embedding_size))  # (I, d)

    def loss(self, batch: Batch) -> Tensor:
        """Pairwise loss; only the rows of the batch are gathered and penalised."""
        (user,) = gather(self.users, batch.users)  # (n, d)
        positive, negative = gather(self.items, batch.positives, batch.negatives)
        return bpr_of_vectors(user, positive, negative) + self.config.regularization * squared_norms(
            user, positive, negative
        )

    def representations(self) -> Representations:
        """Return the two embedding tables."""
        return Representations(self.users, self.items)
