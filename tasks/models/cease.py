"""CEASE: EASE with content, dropout and weighted histories (Jeunen et al. 2020, Steck 2020).

Jeunen, Van Balen, Goethals, Closed-Form Models for Collaborative Filtering with Side-Information, RecSys 2020
(equation 5): with S the (items, features) content, the Gram matrix X'X + w S S' takes the place of X'X. Steck,
Autoencoders that Don't Overfit towards the Identity, NeurIPS 2020 (equation 8): dropout p on the input is a further L2
term of p / (1 - p) times the diagonal. A user's row is weighted by n_u^(-a / 2), so that users with very
long histories do not dominate.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveFloat
from scipy import sparse

from tasks.data import Dataset
from tasks.models.families.linear import ItemWeights
from tasks.models.serving import ItemItem
from tasks.models.solvers.closed_form import BLOCK, gram, peak_bytes, require_memory, weights_in_place
from tasks.models.solvers.standardise import weight_features
from tasks.training import ModelConfig, Real, TrainingOptions


class CEASE(ItemWeights):
    """Any number of modalities, each standardised (`solvers/features.py`); without any it is EASE with better L2.

    All weights are relative to the mean of the diagonal of X'X, so that one default suits both sparse and dense logs.
    """

    name = "cease"
    uses_content = True

    class Config(ModelConfig):
        """L2, dropout, and the weights of long histories and of content."""

        relative_l2: Annotated[PositiveFloat, Real(0.1, 10, log=True)] = Field(
            1.5, description="lambda over the mean diagonal of the Gram matrix"
        )
        dropout: Annotated[NonNegativeFloat, Real(0, 0.9)] = Field(
            0.5, lt=1, description="of the input, in expectation"
        )
        history_exponent: Annotated[NonNegativeFloat, Real(0, 1)] = Field(
            0.5, le=1, description="a: 0 counts every interaction equally"
        )
        content: Annotated[NonNegativeFloat | dict[str, NonNegativeFloat], Real(0, 3)] = Field(
            0.6, description="w over the mean diagonal, for all modalities or for each by its name"
        )

    config: Config

    def __init__(self, config: Config, data: Dataset) -> None:
        super().__init__(config, data)
        self._content = weight_features(data, config.content, self.name)

    def _solve(self, options: TrainingOptions) -> None:
        """Invert; BadInput when the matrix would pass `options.memory_gib`."""
        items = self.data.train.shape[1]
        require_memory(self.name, items, peak_bytes(items), options.memory_gib)
        matrix = gram(by_history(self.data.train, self.config.history_exponent))
        diagonal = np.einsum("ii->i", matrix)
        mean = float(diagonal.mean())
        for features, weight in self._content.values():  # the mean of their squared norms is 1
            add_content(matrix, features, weight * mean)
        dropout = self.config.dropout / (1 - self.config.dropout) * diagonal
        self._part = ItemItem(weights_in_place(matrix, self.config.relative_l2 * mean + dropout))


def by_history(interactions: sparse.csr_matrix, exponent: float) -> sparse.csr_matrix:
    """Multiply each row by n^(-exponent / 2), n its interactions: its weight in the Gram matrix is n^-exponent."""
    lengths = np.diff(interactions.indptr)
    weights = np.power(np.maximum(lengths, 1), -exponent / 2).astype(np.float32)
    scaled = interactions.copy()
    scaled.data = np.repeat(weights, lengths)
    return scaled


def add_content(matrix: np.ndarray, features: np.ndarray, weight: float) -> None:
    """Add `weight` S S' to the matrix in place, in blocks of columns."""
    for start in range(0, len(features), BLOCK):
        matrix[:, start : start + BLOCK] += np.float32(weight) * (features @ features[start : start + BLOCK].T)
