"""CMF: `ials` whose item vectors also reconstruct the content (Singh, Gordon 2008; Cortes 2018).

Singh, Gordon, Relational Learning via Collective Matrix Factorization, KDD 2008, with the loss of iALS (Hu et al. 2008)
for the interactions, as in Cortes, Cold-start recommendations in Collective Matrix Factorization, arXiv:1809.00366: the
sum over all pairs of c_ui (p_ui - x_u . y_i)^2, plus for each modality w sum_i |f_i - V y_i|^2 over the items that have
it, plus lambda_u |x_u|^2, lambda_i |y_i|^2 and lambda w |V|^2. Each column of sqrt(w) f thus acts like one more user,
with real-valued feedback on every item. All three factors are solved alternately in closed form. The vector of a cold
item follows from its content alone.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

import numpy as np
from pydantic import Field, NonNegativeFloat
from scipy import sparse
from threadpoolctl import threadpool_limits

from tasks.data import Dataset
from tasks.errors import Diverged
from tasks.models.families.factorised import Factorised, FactorisedConfig
from tasks.models.solvers.fold_in import FoldIn
from tasks.models.solvers.least_squares import growth, solve_rows
from tasks.models.solvers.standardise import weight_features
from tasks.training import Real, TrainingOptions


class CMF(Factorised):
    """Any number of modalities of any width, each standardised; without any it is iALS.

    w is relative to alpha times the mean number of interactions of an item, with which it must grow.
    """

    name = "cmf"
    uses_content = True

    class Config(FactorisedConfig):
        """In addition to the options of all factorised models: the growth of L2, and the weight of content."""

        l2_exponent: Annotated[NonNegativeFloat, Real(0, 1)] = Field(
            0.5, le=1, description="how lambda grows with the number of interactions"
        )
        content: Annotated[NonNegativeFloat | dict[str, NonNegativeFloat], Real(0, 3)] = Field(
            0.3, description="w over alpha times the mean interactions of an item; one, or each by its name"
        )

    config: Config

    def __init__(self, config: Config, data: Dataset) -> None:
        super().__init__(config, data)
        scale = config.alpha * data.train.nnz / data.train.shape[1]
        self._told: list[np.ndarray] = []  # sqrt(w) f (I, width) of each modality with a weight
        have = np.zeros(data.train.shape[1], dtype=np.int64)  # bit m: the item has modality m of those
        for name, (rows, weight) in weight_features(data, config.content, self.name).items():
            if weight:
                have |= data.features[name].any(axis=1).astype(np.int64) << len(self._told)
                self._told.append(np.float32(np.sqrt(weight * scale)) * rows)
        self._patterns, self._kinds = np.unique(have, return_inverse=True)

    def _solve(self, options: TrainingOptions) -> None:
        """Solve in turns; the same seed gives the same vectors on any number of threads."""
        by_user, by_item = self.data.train, self.data.train.T.tocsr()
        of_user, of_item = (self._l2(side) for side in (by_user, by_item))
        solve = partial(solve_rows, alpha=self.config.alpha, threads=options.threads)
        shape = (by_user.shape[1], self.config.factors)
        items = np.random.default_rng(options.seed).normal(scale=0.01, size=shape).astype(np.float32)
        with (
            threadpool_limits(1, "blas"),
            np.errstate(over="ignore", invalid="ignore"),
        ):  # with more threads the order of sums changes
            users = solve(items, by_user, l2=of_user, grams=_gram(items)[None])
            for _ in range(self.config.iterations):
                grams, right = self._of_content(items, _gram(users))
                items = solve(users, by_item, l2=of_item, grams=grams, kinds=self._kinds, right=right)
                users = solve(items, by_user, l2=of_user, grams=_gram(items)[None])
        if not (np.isfinite(users).all() and np.isfinite(items).all()):
            raise Diverged(f"model {self.name} has vectors that are not finite, expected finite ones: {self.remedy}")
        self._users, self._items = users, items

    def _of_content(self, items: np.ndarray, gram: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return terms of the items' equations: X'X + V'V per pattern of modalities (patterns, d, d); w F V (I, d)."""
        l2 = self.mean_l2() * np.eye(len(gram), dtype=np.float32)
        grams = np.repeat(gram[None], len(self._patterns), axis=0)
        right = np.zeros_like(items)
        for place, told in enumerate(self._told):
            have = (self._patterns >> place & 1).astype(bool)
            own = items[have[self._kinds]]
            weights = np.linalg.solve(
                _gram(own) + l2, items.T @ told
            )  # (d, width); items without the modality have zero rows
            grams[have] += weights @ weights.T
            right += told @ weights.T
        return grams, right

    def _l2(self, side: sparse.csr_matrix) -> np.ndarray:
        """Return lambda (n,) of each row of (n, m), with the mean from the config."""
        factors = growth(side, self.config.alpha, self.config.l2_exponent)
        return np.asarray(self.mean_l2() / factors.mean() * factors)

    def fold_in(self) -> FoldIn:
        """Return the fold-in, which gives bit-equal vectors to known users after the last iteration."""
        factors = growth(self.data.train, self.config.alpha, self.config.l2_exponent)
        base = self.mean_l2() / float(factors.mean())  # lambda of an empty history
        return FoldIn(self.config.alpha, base, exponent=self.config.l2_exponent)


def _gram(vectors: np.ndarray) -> np.ndarray:
    """(d, d)."""
    return vectors.T @ vectors
