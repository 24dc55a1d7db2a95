"""Lists that hold known items and arrivals, by a stated policy with one number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.arrivals.chances import View
from tasks.arrivals.exchange import Exchange, worths
from tasks.arrivals.policy import Policy
from tasks.errors import BadInput
from tasks.metrics import top_items


@dataclass(frozen=True)
class Mixed:
    """n lists of k: `columns` (n, k) int64, K + a for arrival a, -1 where nothing is left; `arrivals` (n, k) bool."""

    columns: np.ndarray
    arrivals: np.ndarray


def mix(known: np.ndarray, arrivals: np.ndarray, k: int, policy: Policy, exchange: Exchange | None = None) -> Mixed:
    """Return the lists of n users from scores of known items (n, K) and arrivals (n, A), float32, -inf for hidden ones.

    Known items come first, in the order of their scores, then the arrivals in that of theirs: the last places are those
    that known items miss least. `exchange` is that of the fitted `Arrivals`; BadInput if `calibrated` lacks it.
    """
    if len(known) != len(arrivals):
        raise BadInput(f"scores of {len(known)} and {len(arrivals)} users found, expected both of the same users")
    best = top_items(known, k)
    best = np.where(np.isfinite(np.take_along_axis(known, best, axis=1)), best, -1)
    fresh = top_items(arrivals, k) if arrivals.shape[1] else np.zeros((len(known), 0), dtype=np.int64)
    scores = np.take_along_axis(arrivals, fresh, axis=1)
    places = np.minimum(_places(known, scores, k, policy, exchange), np.isfinite(scores).sum(axis=1))
    kept = np.minimum((best >= 0).sum(axis=1), k - places)
    rank = np.arange(k)[None, :]
    ours = (rank >= kept[:, None]) & (rank < (kept + places)[:, None])
    columns = np.full((len(known), k), -1, dtype=np.int64)
    columns[:, : best.shape[1]] = best
    columns[rank >= kept[:, None]] = -1
    rows, slots = np.nonzero(ours)
    columns[rows, slots] = known.shape[1] + fresh[rows, slots - kept[rows]]
    return Mixed(columns, ours)


def _places(known: np.ndarray, scores: np.ndarray, k: int, policy: Policy, exchange: Exchange | None) -> np.ndarray:
    """Return (n,) how many places arrivals get; `scores` (n, m) of the best of them, in descending order."""
    if policy.kind == "off" or not scores.shape[1]:
        return np.zeros(len(known), dtype=np.int64)
    if policy.kind == "share":
        return np.full(len(known), int(policy.number * k + 1e-9))
    if exchange is None or not len(exchange.prices):
        raise BadInput(
            "arrivals calibrated found, but nothing to calibrate on: expected arrivals that were fitted on a dataset "
            "with a validation part, or like ones that were; use the policy share"
        )
    worth = worths(exchange.chances, View.of(known), scores, k)
    return np.asarray((worth > exchange.price(policy.number)).sum(axis=1))
