"""What a feature and a log are like, in a few numbers that are kept to be compared with those of a later run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from tasks.data import Interactions
from tasks.media.remarks import split_remarks
from tasks.quality.behaviour import sample_items
from tasks.quality.profile import Profile, Sketch
from tasks.quality.vectors import find_near, row_digests, spread

QUANTILES = {"norm_least": 0.0, "norm_05": 0.05, "norm_median": 0.5, "norm_95": 0.95, "norm_most": 1.0}
MOST_ITEMS, NEIGHBOURS = 300, 10  # whose nearest neighbours are kept: 40 kB of JSON
COMPONENTS = 128  # random Fourier features; two samples of 1,000 rows of one distribution are .002 apart
MOST_ROWS = 20_000  # of which these are the mean
ODD = "odd_"  # shares of media on which something was remarked
LOG = "log"  # the subject of a profile of one
DAY = 86_400  # seconds
WEEK = 7 * DAY


def profile_feature(  # noqa: PLR0917  what a profile is made of
    name: str,
    origin: str,
    array: np.ndarray,
    ids: np.ndarray,
    media: np.ndarray,
    odd: Mapping[str, str],
    before: Profile | None = None,
) -> Profile:
    """Describe the finite, nonzero rows of (n, d) with ids (n,) and the sha256 of their media (n,), both of str.

    odd: id -> what was remarked on when its medium was decoded. The bandwidth is that of `before`, if it is of the same
    origin, else the median distance of two rows.
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
    kinds = Counter(word for item in np.intersect1d(ids, list(odd)) for word in split_remarks(odd[item]))
    measures |= {f"{ODD}{kind}": number / max(len(ids), 1) for kind, number in kinds.items()}
    known = before.sketch.scale if before is not None and before.origin == origin else 0.0
    scale = known or _median_distance(units)
    sketch = Sketch(scale=scale, fourier=_mean_fourier(units, scale).tolist(), neighbours=_nearest(units, names))
    return Profile(subject=name, origin=origin, measures=measures, sketch=sketch)


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
    mine_of, theirs_of = now.sketch.neighbours, before.sketch.neighbours
    both = mine_of.keys() & theirs_of.keys()
    shares = []
    for item in both:
        mine, theirs = ([one for one in of[item] if one in both] for of in (mine_of, theirs_of))
        size = min(len(mine), len(theirs))
        if size:
            shares.append(len(set(mine[:size]) & set(theirs[:size])) / size)
    return float(np.mean(shares)) if shares else None


def discrepancy(now: Profile, before: Profile) -> float | None:
    """The squared maximum mean discrepancy of two profiles; None where they cannot be compared."""
    mine, theirs = now.sketch, before.sketch
    if not mine.fourier or len(mine.fourier) != len(theirs.fourier) or mine.scale != theirs.scale:
        return None
    return float(np.square(np.array(mine.fourier) - np.array(theirs.fourier)).sum())


def profile_log(log: Interactions, catalogue: np.ndarray, known: Mapping[str, np.ndarray], now: int) -> Profile:
    """Describe what a log says about the items of a `catalogue` (ids).

    known: `users` and `items` of the served release (ids), empty without one. now: seconds since 1970.
    """
    log = log.take(np.isin(log.item_ids, catalogue)[log.items])
    used = {"users": log.user_ids, "items": catalogue}
    measures = {"interactions": float(len(log)), **{kind: float(len(ids)) for kind, ids in used.items()}}
    for kind, ids in known.items():
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
    return Profile(subject=LOG, measures=measures)
