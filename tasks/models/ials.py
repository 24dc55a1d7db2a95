"""iALS: matrix factorisation by alternating least squares over all pairs (Hu et al. 2008), from `implicit`.

Hu, Koren, Volinsky, Collaborative Filtering for Implicit Feedback Datasets, ICDM 2008, equation 3: the sum over all
pairs of c_ui (p_ui - x_u . y_i)^2 with p = 1 and c = alpha for interactions of u, p = 0 and c = 1 for the rest, plus
lambda (sum |x_u|^2 + sum |y_i|^2). The solver is the library `implicit` (conjugate gradients; Takacs, Pilaszy, Tikk,
RecSys 2011).
"""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

from tasks.errors import Diverged
from tasks.models.families.factorised import Factorised, FactorisedConfig
from tasks.training import TrainingOptions


class IALS(Factorised):
    """User and item vectors from the library's solver."""

    name = "ials"
    Config = FactorisedConfig

    def _solve(self, options: TrainingOptions) -> None:
        """Solve in turns; the same seed gives the same vectors on any number of threads."""
        from implicit.cpu.als import AlternatingLeastSquares  # noqa: PLC0415  not needed to score
        from implicit.recommender_base import ModelFitError  # noqa: PLC0415

        # Its own threads solve one row each; BLAS threads on top would fight them, which it warns of when it is made.
        with threadpool_limits(1, "blas"):
            solver = AlternatingLeastSquares(
                factors=self.config.factors,
                regularization=self.mean_l2(),
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
