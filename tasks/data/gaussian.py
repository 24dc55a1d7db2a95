"""A joint Gaussian distribution of all features of an item, fitted where some are missing.

By EM (Little and Rubin, Statistical Analysis with Missing Data, section 11.2): each gap is taken at its expectation
given what the item has, with the covariance that this leaves, and mean and covariance are estimated again. A covariance
of thousands of columns has more directions than there are items, so it is shrunk towards a multiple of the identity.
The weight of the identity is the one that predicts features best which were hidden from a fifth of the items: the
closed form of Ledoit and Wolf (2004) shrinks less, and is worse than the mean where features have little in common.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy  # its parts are imported when they are used

STEPS, ENOUGH = 30, 1e-3  # at most so many; change of the filled values, relative to their size
WEIGHTS = (0.01, 0.03, 0.1, 0.3, 0.6, 0.9, 0.99)  # of the identity
HELD = 5  # every fifth item has features hidden from it


@dataclass(frozen=True)
class Blocks:
    """How features lie side by side as columns of one matrix (n, D), each centred and scaled as a whole.

    columns: feature -> its columns. given: feature -> (n,) bool. means: feature -> (width,). scales: feature -> number.
    """

    columns: Mapping[str, np.ndarray]
    given: Mapping[str, np.ndarray]
    means: Mapping[str, np.ndarray]
    scales: Mapping[str, float]

    @classmethod
    def of(cls, features: Mapping[str, np.ndarray], given: Mapping[str, np.ndarray], train: np.ndarray) -> Self:
        """Measure mean and scale (root of the mean variance of a column) on the rows of `train` that are given."""
        columns, means, scales, first = {}, {}, {}, 0
        for name, rows in features.items():
            known = rows[given[name] & train].astype(np.float64)
            means[name] = known.mean(axis=0)
            scales[name] = float((known - means[name]).std()) or 1.0
            columns[name] = np.arange(first, first := first + rows.shape[1])
        return cls(columns, given, means, scales)

    def scaled(self, features: Mapping[str, np.ndarray], given: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return one matrix (n, D), zero where nothing is given."""
        parts = [(features[name] - self.means[name]) / self.scales[name] * given[name][:, None] for name in features]
        return np.concatenate(parts, axis=1)

    def unscaled(self, name: str, rows: np.ndarray) -> np.ndarray:
        """Return the vectors (n, width) of a feature from the matrix (n, D)."""
        return np.asarray(rows[:, self.columns[name]] * self.scales[name] + self.means[name])

    def take(self, rows: np.ndarray) -> Blocks:
        """Return those of some rows."""
        given = {name: has[rows] for name, has in self.given.items()}
        return Blocks(self.columns, given, self.means, self.scales)

    def hide(self, name: str) -> Blocks:
        """Return those in which no row has the feature `name`."""
        return Blocks(self.columns, {**self.given, name: np.zeros_like(self.given[name])}, self.means, self.scales)

    def patterns(self) -> Iterator[tuple[np.ndarray, dict[str, bool]]]:
        """Yield row numbers (m,) and feature -> whether it is given, once for each set of features that lacks one."""
        table = np.column_stack(list(self.given.values()))
        for pattern in np.unique(table[~table.all(axis=1)], axis=0):
            present = dict(zip(self.given, pattern.tolist(), strict=True))
            yield np.flatnonzero((table == pattern).all(axis=1)), present


def fit_gaussian(rows: np.ndarray, blocks: Blocks) -> tuple[np.ndarray, np.ndarray]:
    """Return mean (D,) and covariance (D, D) of `rows` (n, D), in which gaps are zero."""
    weight = choose_weight(rows, blocks)
    mean, filled = np.zeros(rows.shape[1]), rows
    covariance = _shrunk(rows.T @ rows / len(rows), weight)
    for _ in range(STEPS):
        before = filled
        filled, left = expect(rows, blocks, mean, covariance)
        mean = filled.mean(axis=0)
        covariance = _shrunk((filled - mean).T @ (filled - mean) / len(rows) + left, weight)
        if np.linalg.norm(filled - before) <= ENOUGH * np.linalg.norm(filled):
            break
    return mean, covariance


def choose_weight(rows: np.ndarray, blocks: Blocks) -> float:
    """Return the weight of WEIGHTS whose covariance, of four fifths of `rows`, predicts what the others hide best.

    Hidden is each feature that a row lacks; all of them if none is lacking here, where only other items have gaps.
    """
    lacking = [name for name, has in blocks.given.items() if not has.all()] or list(blocks.given)
    held = np.arange(len(rows)) % HELD == HELD - 1
    rest, asked = rows[~held], blocks.take(held)
    mean, sample = np.zeros(rows.shape[1]), rest.T @ rest / max(len(rest), 1)
    errors = dict.fromkeys(WEIGHTS, 0.0)
    for weight in WEIGHTS:
        covariance = _shrunk(sample, weight)
        for name in lacking:
            guess = expect(rows[held], asked.hide(name), mean, covariance)[0]
            wrong = (guess - rows[held])[asked.given[name]][:, blocks.columns[name]]
            errors[weight] += float(np.sum(wrong**2)) / wrong.shape[1]
    return min(errors, key=lambda weight: errors[weight])


def expect(rows: np.ndarray, blocks: Blocks, mean: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return `rows` (n, D) with gaps at their expectation given the rest, and the covariance (D, D) left in them.

    That is its mean over the rows.
    """
    filled, left = rows.copy(), np.zeros_like(covariance)
    for members, present in blocks.patterns():
        seen = _columns(blocks, present, is_given=True)
        gap = _columns(blocks, present, is_given=False)
        if not len(seen):
            filled[np.ix_(members, gap)] = mean[gap]
            continue
        across = covariance[np.ix_(seen, gap)]
        weights = scipy.linalg.solve(covariance[np.ix_(seen, seen)], across, assume_a="pos")  # (seen, gap)
        filled[np.ix_(members, gap)] = mean[gap] + (rows[np.ix_(members, seen)] - mean[seen]) @ weights
        share = len(members) / len(rows)
        left[np.ix_(gap, gap)] += share * (covariance[np.ix_(gap, gap)] - across.T @ weights)
    return filled, left


def _columns(blocks: Blocks, present: Mapping[str, bool], *, is_given: bool) -> np.ndarray:
    chosen = [blocks.columns[name] for name, has in present.items() if has is is_given]
    return np.concatenate(chosen) if chosen else np.zeros(0, dtype=np.int64)


def _shrunk(covariance: np.ndarray, weight: float) -> np.ndarray:
    """Return (D, D) with so much weight of the multiple of the identity that has the same trace."""
    level = float(np.trace(covariance)) / len(covariance)
    shrunk = (1 - weight) * covariance
    shrunk[np.diag_indices(len(shrunk))] += weight * (level or 1.0)
    return np.asarray(shrunk)
