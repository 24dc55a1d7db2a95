"""Logistic regression by Newton's method.

Iteratively reweighted least squares (McCullagh, Nelder, Generalized Linear Models, 1989, section 2.5).
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

PENALTY = 1.0  # of the squared weights of standardised features: as if little had been seen
STEPS, ENOUGH = 25, 1e-6  # at most so many, or until no weight changes by more


def fit_logistic(features: np.ndarray, happened: np.ndarray) -> np.ndarray:
    """Return (F + 1,) float64 weights of features (n, F) and, last, of a constant; `happened` (n,) is 0 or 1."""
    mean, deviation = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
    constant = deviation <= 1e-9 * np.maximum(1.0, np.abs(mean))
    scale = np.where(constant, 1.0, deviation)
    design = np.where(constant, 0.0, (features - mean) / scale)
    design = np.concatenate([design, np.ones((len(design), 1))], axis=1)
    share = (happened.sum() + 0.5) / (len(happened) + 1)
    weights = np.zeros(design.shape[1])
    weights[-1] = np.log(share / (1 - share))
    penalty = np.append(np.full(len(mean), PENALTY), 0.0)
    for _ in range(STEPS):
        chance = expit(design @ weights)
        slope = design.T @ (happened - chance) - penalty * weights
        curve = (design.T * (chance * (1 - chance))) @ design + np.diag(penalty + 1e-9)
        step = np.clip(np.linalg.solve(curve, slope), -2.0, 2.0)  # where it has happened to nobody, no step is too far
        weights += step
        if np.abs(step).max() < ENOUGH:
            break
    raw = weights[:-1] / scale
    return np.append(raw, weights[-1] - raw @ mean)


def log_odds(weights: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Return the log-odds (...,) of features (..., F)."""
    return np.asarray(features @ weights[:-1] + weights[-1])
