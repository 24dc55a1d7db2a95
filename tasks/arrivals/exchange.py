"""What a place of a list is worth: an arrival's expected recall for the NDCG that the displaced known item would bring.

With P_a the chance of the arrival, P_r that of the known item at rank r, h the interactions of the user, and the user's
positives taken to be in proportion to h:

    worth = log (P_a / h) - log (P_r / log2(r + 1) / IDCG(h))

Recall and NDCG are shares of what a user takes, so that one hit is worth more to a user who takes little. The places
are given from the last upwards, where a known item brings least. A policy gives all places that are worth more than a
price; the price of a loss is that at which the expected loss of NDCG@k is so many percent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from tasks.arrivals.chances import RANKS, Chances, View
from tasks.errors import BadInput

LOSSES = (0.05, 0.1, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)  # percent of NDCG@20 on known items
AHEAD = 1 / 8  # what a user takes next over what the user has taken: test over train in the split of the product
FREE = 1e6  # worth of a place for which no known item is left


@dataclass(frozen=True)
class Exchange:
    """The chances, and the price (len(LOSSES),) of each loss; no prices where there is no arrival."""

    chances: Chances
    prices: np.ndarray

    @classmethod
    def fit(cls, chances: Chances, known: np.ndarray, arrivals: np.ndarray) -> Self:
        """Find the prices on scores (n, K) and (n, A) of a sample of users; nothing about who took arrivals is used."""
        places = min(RANKS, arrivals.shape[1])
        if not places or not len(known):
            return cls(chances, np.zeros(0))
        view = View.of(known)
        best = -np.sort(-arrivals, axis=1)[:, :places]
        losses = np.exp(_log_losses(chances, view, RANKS))
        worth = worths(chances, view, best, RANKS).ravel()
        order = np.argsort(-worth, kind="stable")
        lost = 100 * losses[:, :places].ravel()[order].cumsum() / losses.sum()
        at = np.searchsorted(lost, LOSSES, side="right").clip(max=len(order) - 1)
        return cls(chances, worth[order][at])

    def price(self, loss: float) -> float:
        """Return the price at an expected loss of so many percent; BadInput outside of LOSSES."""
        if not LOSSES[0] <= loss <= LOSSES[-1]:
            raise BadInput(
                f"a loss of {loss:g} % found, expected one from {LOSSES[0]:g} % to {LOSSES[-1]:g} % of NDCG@{RANKS}"
            )
        return float(np.interp(np.log(loss), np.log(LOSSES), self.prices))

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return {"chances": self.chances.facts(), "prices": self.prices.tolist()}

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> Self:
        """From `facts()`; KeyError or ValueError when they are something else."""
        prices = np.array(facts["prices"], dtype=np.float64)
        if prices.shape not in {(0,), (len(LOSSES),)}:
            raise ValueError(f"{len(prices)} prices instead of {len(LOSSES)} or none")
        return cls(Chances.read(facts["chances"]), prices)


def worths(chances: Chances, view: View, best: np.ndarray, k: int) -> np.ndarray:
    """Return (n, m) what the m `best` arrivals (n, m), in descending order, are worth at places k, k - 1, ...

    It never rises along a row; -inf for a hidden arrival.
    """
    gain = chances.of_arrivals(view, best) - np.log(np.maximum(np.expm1(view.history), 1.0))[:, None]
    lost = _log_losses(chances, view, k)[:, : best.shape[1]]
    worth = np.where(np.isfinite(lost), gain - np.where(np.isfinite(lost), lost, 0.0), FREE)
    return np.minimum.accumulate(np.where(np.isfinite(gain), worth, -np.inf), axis=1)


def _log_losses(chances: Chances, view: View, k: int) -> np.ndarray:
    """Return (n, k) the log of the NDCG@k expected of the known items at ranks k, k - 1, ... 1."""
    ranks = np.tile(np.arange(k, 0, -1), (len(view.mean), 1))
    ideal = np.cumsum(1 / np.log2(np.arange(2, k + 2)))
    ahead = np.clip(np.rint(AHEAD * np.expm1(view.history)).astype(np.int64), 1, k)
    return np.asarray(chances.of_known(view, ranks) - np.log(np.log2(ranks + 1)) - np.log(ideal[ahead - 1])[:, None])
