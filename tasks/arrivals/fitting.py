"""Fits arrivals: chooses the map from content and calibrates it, all on known items that are treated as arrivals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tasks.arrivals.chances import Chances
from tasks.arrivals.content_map import Arrivals
from tasks.arrivals.exchange import Exchange
from tasks.arrivals.kernel import cosines_between, directions
from tasks.arrivals.smoother import Features, Smoother, choose_smoother
from tasks.data import Dataset
from tasks.data.dataset import PARTS
from tasks.errors import BadInput
from tasks.metrics.ranking import Scores

ANCHORS = 4096  # known items from which arrivals are predicted at most: a matrix of 128 MiB in float64
TRIED = 1024  # of these, and of the users, on which the hyperparameters are chosen
CELLS = 2**23  # scores of a sample of users: 32 MiB
PAIRS = 2**20  # of a user and an item held out, from which chances are learned
LEAST = 20  # interactions of validation below which chances would be guesses


@dataclass(frozen=True)
class Sample:
    """Users with a history, drawn for the choice and the calibration, and the model's scores for them.

    `users` (n,) rows of `data`; `scores` (n, K) float32; `anchors` (L,) the known items that arrivals learn from.
    """

    data: Dataset
    users: np.ndarray
    scores: np.ndarray
    anchors: np.ndarray

    @cached_property
    def visible(self) -> np.ndarray:
        """The scores with -inf where a user has the item."""
        return np.where(self.data.train[self.users].toarray() > 0, np.float32(-np.inf), self.scores)


def fit_arrivals(
    scores: Scores, data: Dataset, features: Mapping[str, np.ndarray], *, seed: int, like: Arrivals | None = None
) -> Arrivals:
    """Learn to score the arrivals with `features` (A, width) by modality, which are the modalities of `data`.

    `scores` are those of a model fitted on `data.train`. Everything is chosen on known items, each treated as an
    arrival in turn; nothing about who takes the arrivals is used. For a model that has learned from all interactions
    nothing is left to calibrate on: give the arrivals of its twin as `like`, whose hyperparameters and chances are then
    used. Raises BadInput for features that are not those of the known items, and if `like` has others.
    """
    known, new = directions(data.features, features)
    rng = np.random.default_rng(seed)
    counts = np.asarray((data.train + data.valid).sum(axis=0), dtype=np.float64).ravel()
    sample = _draw(scores, data, counts, len(next(iter(new.values()))), rng)
    near, weights = {name: rows[sample.anchors] for name, rows in known.items()}, counts[sample.anchors]
    if like is None:
        smoother = _choose(sample, near, weights, rng)
        chances = _calibrate(sample, near, weights, smoother, rng)
    else:
        smoother, chances = _follow(like, new), None if like.exchange is None else like.exchange.chances
    fitted = Arrivals(smoother.fit(near, new, weights), sample.anchors, data.shape[1], smoother, None)
    if chances is None:
        return fitted
    exchange = Exchange.fit(chances, sample.visible, fitted.scores(sample.scores))
    return Arrivals(fitted.weights, fitted.anchors, fitted.known, smoother, exchange)


def _draw(scores: Scores, data: Dataset, counts: np.ndarray, arrivals: int, rng: np.random.Generator) -> Sample:
    """Draw anchors with a chance that grows with the root of their interactions, and users evenly."""
    chance = np.sqrt(np.maximum(counts, 1))
    anchors = np.arange(len(counts))
    if len(counts) > ANCHORS:
        anchors = np.sort(rng.choice(len(counts), ANCHORS, replace=False, p=chance / chance.sum()))
    users = np.flatnonzero(np.diff(data.train.indptr))
    size = max(1, CELLS // max(len(counts), arrivals))
    users = np.sort(rng.permutation(users)[:size])
    return Sample(data, users, np.asarray(scores(users), dtype=np.float32), anchors)


def _choose(sample: Sample, near: Features, counts: np.ndarray, rng: np.random.Generator) -> Smoother:
    """Choose the hyperparameters on at most TRIED anchors."""
    tried = np.sort(rng.permutation(len(sample.anchors))[:TRIED])
    users, columns = rng.permutation(len(sample.users))[:TRIED], sample.anchors[tried]
    taken = (sample.data.train + sample.data.valid)[sample.users[users]][:, columns].tocsr()
    rows = {name: part[tried] for name, part in near.items()}
    return choose_smoother(rows, counts[tried], sample.scores[users][:, columns], taken)


def _calibrate(
    sample: Sample, near: Features, counts: np.ndarray, smoother: Smoother, rng: np.random.Generator
) -> Chances | None:
    """Return the chances; None if validation has too few interactions."""
    later = sample.data.valid[sample.users].toarray() > 0
    if later.sum() < LEAST:
        return None
    some = np.sort(rng.permutation(len(sample.anchors))[: max(1, PAIRS // len(later))])
    weights = smoother.held_out(cosines_between(near, near), counts)[:, some]
    held_out = sample.scores[:, sample.anchors] @ weights
    sizes = [getattr(sample.data, part).nnz for part in PARTS]
    shares = sizes[0] / sum(sizes), sizes[1] / sum(sizes)
    return Chances.fit(sample.visible, held_out, later, sample.anchors[some], shares)


def _follow(like: Arrivals, new: Features) -> Smoother:
    if set(like.smoother.weights) != set(new):
        raise BadInput(
            f"arrivals with the features {sorted(new)} found, to be fitted like others with "
            f"{sorted(like.smoother.weights)}, expected the same"
        )
    return like.smoother
