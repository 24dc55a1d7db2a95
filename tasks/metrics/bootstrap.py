"""The paired bootstrap over users: whether one model is significantly better than another.

The differences d_u of n users have mean m; the b-th of B resamples with replacement has mean m*_b. The interval is
that of the percentiles of m* (Efron, Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3). The test shifts
m* to the null hypothesis of no difference (section 16.4; for ranking metrics Sakai, Evaluating Evaluation Metrics Based
on the Bootstrap, SIGIR 2006): p = (1 + #{|m*_b - m| >= |m|}) / (B + 1). Unlike there, means are not studentised, which
matters for tens of users but not for hundreds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.errors import BadInput
from tasks.metrics.metric import Metric
from tasks.metrics.ranking import UserValues

CELLS = 2**20  # draws held at once: 28 MiB with their counts
TAIL = 0.025  # on each side of a 95 % interval


@dataclass(frozen=True)
class Difference:
    """Mean over users of `one` minus `other`, its interval, and the two-sided p-value of no difference."""

    mean: float
    low: float
    high: float
    p: float


def paired_bootstrap(
    one: UserValues, other: UserValues, *, resamples: int = 10_000, seed: int = 0, tail: float = TAIL
) -> dict[str, Difference]:
    """Return `{"recall@5": Difference, ...}`, all metrics on the same resamples; p is not corrected for their number.

    `tail` is left out on each side of the interval: with .05, each bound alone holds with 95 % confidence.
    Raises BadInput if users, metrics or cutoffs differ or have another order, for a single user, and for values that
    are not finite.
    """
    differences = _differences(one, other)
    mean = differences.mean(axis=0)  # (columns,)
    means = _resample_means(differences, resamples, np.random.default_rng(seed))
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    p = (1 + (np.abs(means - mean) >= np.abs(mean)).sum(axis=0)) / (resamples + 1)
    names = [str(Metric(metric, k)) for metric in one.values for k in one.cutoffs]
    table = np.stack([mean, low, high, p], axis=1).tolist()
    return {name: Difference(*row) for name, row in zip(names, table, strict=True)}


def mean_intervals(values: UserValues, *, resamples: int = 1000, seed: int = 0) -> dict[str, Difference]:
    """Return each mean over users with its 95 % interval: the difference to a model that scores nothing.

    Empty for a single user, who says nothing of how users differ. Fewer resamples than where something is decided.
    """
    if len(values.users) < 2:
        return {}
    nothing = UserValues(
        values.users, values.cutoffs, {metric: np.zeros_like(table) for metric, table in values.values.items()}
    )
    return paired_bootstrap(values, nothing, resamples=resamples, seed=seed)


def _differences(one: UserValues, other: UserValues) -> np.ndarray:
    """Return (users, metrics * cutoffs) float64, metric by metric."""
    if not np.array_equal(one.users, other.users):
        raise BadInput(
            f"values of {len(one.users)} and {len(other.users)} users found that are not the same in the same order, "
            "expected a pair of values for each user: evaluate both models on the same split of the same dataset"
        )
    if (one.cutoffs, list(one.values)) != (other.cutoffs, list(other.values)):
        raise BadInput(
            f"{list(one.values)} at {one.cutoffs} and {list(other.values)} at {other.cutoffs} found, expected the same "
            "metrics at the same cutoffs"
        )
    if len(one.users) < 2:
        raise BadInput(f"{len(one.users)} user found, expected at least two, for one says nothing of how users differ")
    differences = np.concatenate([one.values[metric] - other.values[metric] for metric in one.values], axis=1)
    if not np.isfinite(differences).all():
        raise BadInput("values that are not finite found, expected finite ones")
    return differences


def _resample_means(differences: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """(resamples, columns) means of users drawn with replacement, a block of resamples at a time.

    The counts of users are multinomial; drawing users and counting them is several times faster than drawing counts.
    """
    users = len(differences)
    block = max(1, CELLS // users)
    means = np.empty((resamples, differences.shape[1]))
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        drawn = rng.integers(users, size=(size, users), dtype=np.int32)
        drawn += (
            np.arange(size, dtype=np.int32)[:, None] * users
        )  # (resamples, users): separate counts for each resample
        counts = np.bincount(drawn.ravel(), minlength=size * users).reshape(size, users)
        means[start : start + size] = counts.astype(np.float64) @ differences / users
    return means
