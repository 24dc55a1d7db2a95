"""Scores of items that nobody has taken yet, for any recommender, from its scores of known items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import torch

from tasks.arrivals.exchange import Exchange
from tasks.arrivals.smoother import Smoother
from tasks.errors import BadInput
from tasks.models.solvers.arrays import get_array


@dataclass(frozen=True)
class Arrivals:
    """score(u, a) = sum_j weights[a, j] score(u, anchors[j]), with `weights` (A, L) float32 and `anchors` (L,) int64.

    `known` is the number of known items, `smoother` the chosen hyperparameters. `exchange` is what the policy
    `calibrated` needs; None without validation.
    """

    weights: np.ndarray
    anchors: np.ndarray
    known: int
    smoother: Smoother
    exchange: Exchange | None

    def scores(self, known: np.ndarray) -> np.ndarray:
        """Return (n, A) float32 from the scores of all known items (n, K), of seen items too, by the same model.

        They are in the unit of the model's scores, but nearer to the mean, as predictions are: `exchange` compares the
        two. Raises BadInput for another number of items or scores that are not finite.
        """
        if known.ndim != 2 or known.shape[1] != self.known or not np.isfinite(known).all():
            raise BadInput(
                f"scores of shape {known.shape} found, expected finite ones of {self.known} known items, seen ones too"
            )
        return np.asarray(known[:, self.anchors] @ self.weights.T, dtype=np.float32)

    def tensors(self) -> dict[str, torch.Tensor]:
        """What is written of arrays."""
        arrays = {"weights": self.weights, "anchors": self.anchors}
        return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}

    def facts(self) -> dict[str, Any]:
        """What is written beside them, as JSON."""
        exchange = None if self.exchange is None else self.exchange.facts()
        return {"smoother": asdict(self.smoother), "exchange": exchange}

    @classmethod
    def read(cls, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any], known: int, arrivals: int) -> Self:
        """From what was written; KeyError or ValueError when it is not for so many known items and arrivals."""
        anchors = get_array(arrays, "anchors", arrays["anchors"].shape[:1])
        if len(anchors) and not 0 <= anchors.min() <= anchors.max() < known:
            raise ValueError(f"anchors up to {anchors.max()} instead of less than {known}")
        weights = get_array(arrays, "weights", (arrivals, len(anchors)))
        exchange = None if facts["exchange"] is None else Exchange.read(facts["exchange"])
        return cls(weights, anchors, known, Smoother(**facts["smoother"]), exchange)
