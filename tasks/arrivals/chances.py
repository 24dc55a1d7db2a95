"""How likely a user is to take an item next: one model for known items at their rank, one for arrivals.

Scores of arrivals are shrunk towards the mean, more so where content says little, so that they cannot be compared with
those of known items. Both are therefore turned into chances by logistic regressions on what is in validation: of known
items at the ranks of a list, and of known items that are treated as arrivals, each scored from content and the others
only. The features mean the same for every recommender: the place that a score has among the scores of the user's
known items, its distance from their mean in deviations, and how much the user has taken already. (A square of the
place fits better, but runs away where an arrival scores higher than any item held out that the user had not taken.)

A known item that the user has taken in train can no longer be in validation. With t and v the shares of interactions in
the two, an item that is taken with the chance p is there, given that it is not in train, with P = v p / (1 - t p); so
an arrival is taken with p = P / (v + t P).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.special import log_expit

from tasks.arrivals.logistic import fit_logistic, log_odds

RANKS = 20  # of a list of known items; the score at the last says how good the end of the list is


@dataclass(frozen=True)
class View:
    """The known items of n users as the chances need them; all (n,) unless said."""

    ordered: np.ndarray  # (n, K) scores in descending order, -inf at the end where an item is hidden
    mean: np.ndarray  # of the visible scores
    deviation: np.ndarray  # of the visible scores; 1 where they are all equal
    tail: np.ndarray  # the RANKS-th score, or the last visible one, in deviations from the mean
    history: np.ndarray  # log(1 + hidden items): what a user has already is not recommended

    @classmethod
    def of(cls, known: np.ndarray) -> Self:
        """From scores (n, K) of known items, -inf for hidden ones."""
        ordered = -np.sort(-known, axis=1)
        visible = np.isfinite(known)
        count = visible.sum(axis=1)
        finite = np.where(visible, known, 0.0).astype(np.float64)
        mean = finite.sum(axis=1) / np.maximum(count, 1)
        spread = np.where(visible, finite - mean[:, None], 0.0)
        deviation = np.sqrt((spread**2).sum(axis=1) / np.maximum(count, 1))
        deviation = np.where(deviation > 0, deviation, 1.0)
        last = np.take_along_axis(ordered, np.clip(np.minimum(count, RANKS) - 1, 0, None)[:, None], axis=1)[:, 0]
        tail = np.where(count > 0, (np.where(count > 0, last, 0.0) - mean) / deviation, 0.0)
        return cls(ordered, mean, deviation, tail, np.log1p(known.shape[1] - count))

    def _row(self) -> list[np.ndarray]:
        return [self.tail, np.log(self.deviation), self.history]

    def features(self, scores: np.ndarray, ranks: np.ndarray) -> np.ndarray:
        """Return (n, m, 6) of scores (n, m) that stand at `ranks` (n, m), from 1 on, among the known items."""
        steps = np.log(ranks)
        distance = (scores - self.mean[:, None]) / self.deviation[:, None]
        own = [steps, distance, steps * self.history[:, None]]
        row = [np.broadcast_to(column[:, None], scores.shape) for column in self._row()]
        return np.stack([*own, *row], axis=-1)

    def ranks(self, scores: np.ndarray) -> np.ndarray:
        """Return (n, m) the ranks that items with these scores (n, m) would have among the visible known ones."""
        descending = -self.ordered
        return 1 + np.stack([np.searchsorted(row, -own) for row, own in zip(descending, scores, strict=True)])


@dataclass(frozen=True)
class Chances:
    """Weights (7,) of the two logistic regressions on `View.features`, and the shares of train and validation."""

    known: np.ndarray
    arrivals: np.ndarray
    shares: tuple[float, float]

    @classmethod
    def fit(
        cls,
        known: np.ndarray,
        held_out: np.ndarray,
        later: np.ndarray,
        columns: np.ndarray,
        shares: tuple[float, float],
    ) -> Self:
        """Learn from scores `known` (n, K), -inf where taken, and `later` (n, K), True where taken in validation.

        `held_out` (n, L) are the scores of known `columns` (L,) as if they were arrivals.
        """
        view = View.of(known)
        ranks = np.tile(np.arange(1, min(RANKS, known.shape[1]) + 1), (len(known), 1))
        best = np.argsort(-known, axis=1, kind="stable")[:, : ranks.shape[1]]
        scores = np.take_along_axis(known, best, axis=1)
        there = np.isfinite(scores)
        listed = view.features(np.where(there, scores, 0.0), ranks)[there]
        open_ = np.isfinite(known[:, columns])
        new = view.features(held_out, view.ranks(held_out))[open_]
        return cls(
            fit_logistic(listed, np.take_along_axis(later, best, axis=1)[there].astype(np.float64)),
            fit_logistic(new, later[:, columns][open_].astype(np.float64)),
            shares,
        )

    def of_known(self, view: View, ranks: np.ndarray) -> np.ndarray:
        """Return (n, m) log chances of validation for the known items at `ranks` (n, m); -inf where none is left."""
        items = view.ordered.shape[1]
        scores = np.take_along_axis(view.ordered, np.minimum(ranks, items) - 1, axis=1)
        there = np.isfinite(scores) & (ranks <= items)
        odds = log_odds(self.known, view.features(np.where(there, scores, 0.0), ranks))
        return np.where(there, log_expit(odds), -np.inf)

    def of_arrivals(self, view: View, scores: np.ndarray) -> np.ndarray:
        """Return (n, m) log chances, at any time, of arrivals with `scores` (n, m); -inf for hidden ones."""
        there = np.isfinite(scores)
        shown = np.where(there, scores, 0.0)
        later = log_expit(log_odds(self.arrivals, view.features(shown, view.ranks(shown))))
        train, valid = self.shares
        return np.where(there, later - np.log(valid + train * np.exp(later)), -np.inf)

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return {"known": self.known.tolist(), "arrivals": self.arrivals.tolist(), "shares": list(self.shares)}

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> Self:
        """From `facts()`; KeyError or ValueError when they are something else."""
        sides = [np.array(facts[name], dtype=np.float64) for name in ("known", "arrivals")]
        if any(side.shape != (7,) for side in sides):
            raise ValueError(f"chances of shape {[side.shape for side in sides]} instead of twice (7,)")
        train, valid = facts["shares"]
        return cls(sides[0], sides[1], (train, valid))
