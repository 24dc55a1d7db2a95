"""What stands in the place of a feature that an item lacks.

An item without a poster can still be recommended by its synopsis. `drop` leaves it out; the other policies fill the gap
with zeros, with the mean of the items that have the feature, with a linear prediction from the features that the item
has, or with the expectation under a joint Gaussian distribution of all features (`gaussian`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from tasks.data.gaussian import Blocks, expect, fit_gaussian
from tasks.data.ridge import predict_by_ridge
from tasks.errors import BadInput

Missing = Literal["drop", "zero", "mean", "linear", "em"]
Given = Mapping[str, np.ndarray]  # feature -> (n,) bool


def fill(features: Mapping[str, np.ndarray], given: Given, train: np.ndarray, policy: Missing) -> dict[str, np.ndarray]:
    """Return the features with a vector in every row.

    features: feature -> (n, width) float32, of which only the rows `given` are read. train: (n,) bool, the rows that
    the policy is fitted on. Raises BadInput if no row of train has a feature.
    """
    for name, has in given.items():
        if not has[train].any():
            raise BadInput(f"no item that models are trained on has {name}, expected some: leave {name} out of the run")
    filled = {name: np.where(given[name][:, None], rows, np.float32(0)) for name, rows in features.items()}
    lacking = [name for name in features if not given[name].all()]
    if not lacking or policy in {"zero", "drop"}:
        return filled
    if policy == "mean":
        for name in lacking:
            filled[name][~given[name]] = filled[name][given[name] & train].mean(axis=0, dtype=np.float64)
        return filled
    blocks = Blocks.of(filled, given, train)
    rows = blocks.scaled(filled, given)
    done = _predict(rows, blocks, train) if policy == "linear" else _expect(rows, blocks, train)
    for name in lacking:
        filled[name][~given[name]] = blocks.unscaled(name, done)[~given[name]]
    return filled


def _predict(rows: np.ndarray, blocks: Blocks, train: np.ndarray) -> np.ndarray:
    """Return `rows` (n, D) with each gap predicted by ridge regression from the features that the row has."""
    done = rows.copy()
    for members, present in blocks.patterns():
        sources = [name for name, is_given in present.items() if is_given]
        for name in (name for name, is_given in present.items() if not is_given):
            both = train & np.logical_and.reduce([blocks.given[other] for other in (*sources, name)])
            if sources and both.any():
                columns = np.concatenate([blocks.columns[source] for source in sources])
                target = rows[np.ix_(both, blocks.columns[name])]
                done[np.ix_(members, blocks.columns[name])] = predict_by_ridge(
                    rows[np.ix_(both, columns)], target, rows[np.ix_(members, columns)]
                )
    return done


def _expect(rows: np.ndarray, blocks: Blocks, train: np.ndarray) -> np.ndarray:
    """Return `rows` (n, D) with each gap at its expectation."""
    mean, covariance = fit_gaussian(rows[train], blocks.take(train))
    return expect(rows, blocks, mean, covariance)[0]
