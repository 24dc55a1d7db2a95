"""What a feature and a log are like, in a few numbers that are kept to be compared with those of a later run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from tasks.data import Interactions
from tasks.quality.behaviour import sample_items
from tasks.quality.vectors import find_near, row_digests, spread

QUANTILES = {"norm_least": 0.0, "norm_05": 0.05, "norm_median": 0.5, "norm_95": 0.95, "norm_most": 1.0}
MOST_ITEMS, NEIGHBOURS = 300, 10  # whose nearest neighbours are kept: 40 kB of JSON
COMPONENTS = 128  # random Fourier features; two samples of 1,000 rows of one distribution are .002 apart
MOST_ROWS = 20_000  # of which these are the mean
DAY = 86_400  # seconds
WEEK = 7 * DAY


class Profile(BaseModel):
    """What one subject is like: a feature by its name, or `log`.

    origin: identity of the encoder, or prefix of the ready-made matrix; only of the same origin vectors are compared.
    measures: number by name. scale and fourier: bandwidth, and mean (COMPONENTS,) of random Fourier features of the
    unit vectors. neighbours: item -> its nearest others among the sampled items, nearest first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: str
    origin: str = ""
    measures: Mapping[str, float]
    scale: float = 0.0
    fourier: list[float] = Field(default_factory=list)
    neighbours: Mapping[str, list[str]] = Field(default_factory=dict)


def profile_feature(  # noqa: PLR0917  what a profile is made of
    name: str, origin: str, array: np.ndarray, ids: np.ndarray, media: np.ndarray, before: Profile | None = None
) -> Profile:
    """Describe the finite, nonzero rows of (n, d) with ids (n,) and the sha256 of their media (n,), both of str.

    The bandwidth is that of `before`, if it is of the same origin, else the median distance of two rows.
    """
    sound = np.isfinite(array).all(axis=1) & (array != 0).any(axis=1)
    rows, names = array[sound].astype(np.float64), ids[sound]
    norms = np.linalg.norm(rows, axis=1)
    units = rows / norms[:, None]
    measures = {"rows": float(len(array)), "width": float(array.shape[1]), "cosine": 1.0 - spread(array)}
    if len(rows):
        measures |= {what: float(np.quantile(norms, share)) for what, share in QUANTILES.items()}
        near = find_near(array[sound], media[sound], row_digests(array[sound]))
        measures["near_share"] = float(near.mean())
    _, counts = np.unique(media[media != ""], return_counts=True)
    measures["same_media_share"] = float(counts[counts > 1].sum() / max(len(media), 1))
    same = before is not None and before.origin == origin and before.scale > 0
    scale = before.scale if same and before is not None else _median_distance(units)
    return Profile(
        subject=name,
        origin=origin,
        measures=measures,
        scale=scale,
        fourier=_mean_fourier(units, scale).tolist(),
        neighbours=_nearest(units, names),
    )


def _median_distance(units: np.ndarray) -> float:
    """The median distance of two rows, of up to a thousand pairs."""
    if len(units) < 2:
        return 0.0
    left, right = np.random.default_rng(0).integers(0, len(units), (2, 1000))
    distances = np.linalg.norm(units[left] - units[right], axis=1)[left != right]
    return float(np.median(distances)) if len(distances) else 0.0


def _mean_fourier(units: np.ndarray, scale: float) -> np.ndarray:
    """The mean (COMPONENTS,) of random Fourier features for a Gaussian kernel of bandwidth `scale`.

    Rahimi and Recht (2007), Random Features for Large-Scale Kernel Machines; the squared distance of two such means
    estimates the maximum mean discrepancy of Gretton et al. (2012), A Kernel Two-Sample Test. Fixed for a width.
    """
    if not len(units) or scale <= 0:
        return np.zeros(COMPONENTS)
    rng = np.random.default_rng(units.shape[1])
    directions, phases = rng.normal(size=(units.shape[1], COMPONENTS)), rng.uniform(0, 2 * np.pi, COMPONENTS)
    some = units[:: -(-len(units) // MOST_ROWS)]
    features = np.sqrt(2 / COMPONENTS) * np.cos(some @ directions / scale + phases)
    return np.asarray(features.mean(axis=0))


def _nearest(units: np.ndarray, ids: np.ndarray) -> dict[str, list[str]]:
    """The nearest others of each sampled item, of the items whose ids have the smallest hashes."""
    chosen = sample_items(ids, MOST_ITEMS)
    if len(chosen) <= NEIGHBOURS:
        return {}
    cosines = units[chosen] @ units[chosen].T
    np.fill_diagonal(cosines, -np.inf)
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :NEIGHBOURS]
    names = ids[chosen]
    return {str(names[row]): names[order[row]].tolist() for row in range(len(names))}


def kept_neighbours(now: Profile, before: Profile) -> float | None:
    """The share of the nearest neighbours of `before` that are still near, of items in both; None without any.

    An item that has left the sample since then is nobody's neighbour on either side.
    """
    both = now.neighbours.keys() & before.neighbours.keys()
    shares = []
    for item in both:
        mine, theirs = ([one for one in profile.neighbours[item] if one in both] for profile in (now, before))
        size = min(len(mine), len(theirs))
        if size:
            shares.append(len(set(mine[:size]) & set(theirs[:size])) / size)
    return float(np.mean(shares)) if shares else None


def discrepancy(now: Profile, before: Profile) -> float | None:
    """The squared maximum mean discrepancy of two profiles; None where they cannot be compared."""
    if not now.fourier or len(now.fourier) != len(before.fourier) or now.scale != before.scale:
        return None
    return float(np.square(np.array(now.fourier) - np.array(before.fourier)).sum())


def profile_log(log: Interactions, known: Mapping[str, np.ndarray] | None, now: int) -> Profile:
    """Describe a log. known: `users` and `items` of the served release (ids); now: seconds since 1970."""
    used = {
        "users": log.user_ids[np.bincount(log.users, minlength=len(log.user_ids)) > 0],
        "items": log.item_ids[np.bincount(log.items, minlength=len(log.item_ids)) > 0],
    }
    measures = {"interactions": float(len(log)), **{kind: float(len(ids)) for kind, ids in used.items()}}
    for kind, ids in (known or {}).items():
        measures[f"{kind}_new"] = float((~np.isin(used[kind], ids)).mean()) if len(used[kind]) else 0.0
        measures[f"{kind}_lost"] = float((~np.isin(ids, used[kind])).mean()) if len(ids) else 0.0
    times = log.timestamps
    if times is not None and len(times):
        measures["times_zero"] = float((times == 0).mean())
        measures["times_negative"] = float((times < 0).mean())
        measures["times_future"] = float((times > now + DAY).mean())
        good = times[(times > 0) & (times <= now + DAY)]
        if len(good):
            last = int(good.max())
            measures["per_day"] = len(good) / max((last - int(good.min())) / DAY, 1.0)
            measures["per_day_of_last_week"] = float((good > last - WEEK).sum()) / 7
    return Profile(subject="log", measures=measures)
