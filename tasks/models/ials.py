"""iALS: matrix factorisation in which what a user did not take counts a little, solved in turns by least squares.

Hu, Koren, Volinsky, Collaborative Filtering for Implicit Feedback Datasets, ICDM 2008, equation 3: the sum over all
pairs of c_ui (p_ui - x_u . y_i)^2 with p = 1 and c = alpha for what u took, p = 0 and c = 1 for the rest, plus
lambda (sum |x_u|^2 + sum |y_i|^2). The solver is the library `implicit` (conjugate gradients; Takacs, Pilaszy, Tikk,
RecSys 2011).
"""

from __future__ import annotations

import time
from typing import ClassVar

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt
from threadpoolctl import threadpool_limits

from tasks.errors import Diverged
from tasks.models.parts.factorised import Factorised
from tasks.models.parts.fold_in import FoldIn
from tasks.training import Choice, EpochRecord, ModelConfig, Real, Space, TrainingOptions


class IALS(Factorised):
    """Score x_u . y_i. Lambda is stated relative to alpha and the mean history, with which it has to grow."""

    name = "ials"
    SEARCH: ClassVar[Space] = {
        "factors": Choice((32, 64, 128, 256)),
        "alpha": Real(1, 100, log=True),
        "relative_l2": Real(0.01, 1, log=True),
    }

    class Config(ModelConfig):
        """Width, the weight of what was taken, L2, and how often both sides are solved."""

        factors: PositiveInt = Field(default=128, description="size of the vectors")
        alpha: PositiveFloat = Field(default=10.0, description="c of a pair that was taken; 1 of any other")
        relative_l2: PositiveFloat = Field(default=0.1, description="lambda over alpha times the mean history")
        iterations: PositiveInt = Field(default=15, description="turns")

    config: Config

    def _fit(self, options: TrainingOptions) -> list[EpochRecord]:
        """Solve in turns; the same seed gives the same vectors on any number of threads."""
        from implicit.cpu.als import AlternatingLeastSquares  # noqa: PLC0415  not needed to score
        from implicit.recommender_base import ModelFitError  # noqa: PLC0415

        start = time.perf_counter()
        # Its own threads solve one row each; BLAS threads on top would fight them, which it warns of when it is made.
        with threadpool_limits(1, "blas"):
            solver = AlternatingLeastSquares(
                factors=self.config.factors,
                regularization=self._l2(),
                alpha=self.config.alpha,
                iterations=self.config.iterations,
                num_threads=options.threads,
                random_state=options.seed,
            )
            try:
                solver.fit(self.data.train, show_progress=False)
            except ModelFitError as error:
                raise Diverged(f"model {self.name}: {error}, expected finite factors: {self.remedy}") from error
        self._users, self._items = np.array(solver.user_factors), np.array(solver.item_factors)
        self.fitted = True
        return [EpochRecord(epoch=1, loss=None, valid=None, seconds=time.perf_counter() - start)]

    def _l2(self) -> float:
        mean_history = self.data.train.nnz / self.data.train.shape[0]
        return self.config.relative_l2 * self.config.alpha * mean_history

    def fold_in(self) -> FoldIn:
        """As the known ones, but exactly."""
        return FoldIn(self.config.alpha, self._l2())
