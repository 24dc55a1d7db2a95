"""Measures whether content agrees with behaviour: do the same users take items whose features are similar?

The statistic is that of a Mantel test between two relations of the same items: which items are nearest neighbours by
content, and how similar they are by co-occurrence in the log. Rows of features that belong to other items leave
every count, shape and name as it was, and this relation destroyed.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
import scipy  # its parts are imported when they are used

from tasks.data import Interactions

NEIGHBOURS = 10
MOST_ITEMS = 1000  # that are measured: on MovieLens-1M enough for a z of 36 to 76, at a tenth of the memory
MOST_USERS = 50_000
FEWEST_ITEMS = 50  # with fewer, ten neighbours are more than a fifth of all others
FLAT = 1e-6  # a standard deviation of cosines that is rounding alone


@dataclass(frozen=True)
class Agreement:
    """The agreement of one feature with the log, of `items` items.

    observed: mean similarity by behaviour of an item and its nearest neighbours by content. expected, deviation: mean
    and standard deviation of the same over all permutations of the rows. spread: standard deviation of the similarity
    of two items. All are differences of cosines.
    """

    items: int
    observed: float
    expected: float
    deviation: float
    spread: float

    @property
    def z(self) -> float:
        """Return how surprising it is, in standard deviations of permuted rows; grows with the number of items."""
        return (self.observed - self.expected) / self.deviation

    @property
    def effect(self) -> float:
        """Return how strong it is, in standard deviations of a pair of items; depends little on the number of items."""
        return (self.observed - self.expected) / self.spread


def sample_items(ids: np.ndarray, most: int = MOST_ITEMS) -> np.ndarray:
    """Return positions (at most `most`,) of the distinct `ids` (n,) whose hashes are smallest, sorted by hash.

    So the sample of a growing catalogue changes as little as possible, and its order has no meaning.
    """
    digests = [hashlib.blake2b(one.encode(), digest_size=8).digest() for one in ids.tolist()]
    return np.array(sorted(range(len(ids)), key=digests.__getitem__)[:most], dtype=np.int64)


def measure_similarity(log: Interactions, items: np.ndarray) -> np.ndarray:
    """Return the similarity by behaviour (n, n) float32 of the items with codes `items` (n,): 0 on the diagonal.

    It is the cosine of the binary columns of the log, less the means of both items (and plus that of all pairs): the
    cosine of popular items is high whatever they are, and on MovieLens-1M this hides up to half of the agreement. Of
    more than MOST_USERS users a sample is taken, the same for the same log.
    """
    place = np.full(len(log.item_ids), -1, dtype=np.int32)
    place[items] = np.arange(len(items), dtype=np.int32)
    users, columns = log.users, place[log.items]
    if len(log.user_ids) > MOST_USERS:
        kept = np.zeros(len(log.user_ids), dtype=bool)
        kept[np.random.default_rng(0).choice(len(kept), MOST_USERS, replace=False)] = True
        columns = np.where(kept[users], columns, -1)
    users, columns = users[columns >= 0], columns[columns >= 0]
    matrix = scipy.sparse.csr_matrix(
        (np.ones(len(users), dtype=np.float32), (users, columns)), shape=(len(log.user_ids), len(items))
    )
    matrix.data[:] = 1  # a pair that is in the log twice counts once
    counts = np.maximum(np.asarray(matrix.sum(axis=0)).ravel(), 1)
    cosines = (matrix.T @ matrix).toarray() / np.sqrt(np.outer(counts, counts), dtype=np.float32)
    return _centre(cosines)


def _centre(cosines: np.ndarray) -> np.ndarray:
    """Take the mean of both items from each pair, and add that of all pairs; pairs of an item with itself are 0."""
    np.fill_diagonal(cosines, 0)
    means = cosines.sum(axis=1, dtype=np.float64) / max(len(cosines) - 1, 1)
    centred = (cosines - means[:, None] - means[None, :] + means.mean()).astype(np.float32)
    np.fill_diagonal(centred, 0)
    return centred


def find_nearest(rows: np.ndarray) -> np.ndarray:
    """Return the NEIGHBOURS nearest rows (n, k) of each of `rows` (n, d), by cosine after the mean is taken away."""
    units = rows - rows.mean(axis=0, dtype=np.float64)  # a float32 of 1e28 has no square
    lengths = np.linalg.norm(units, axis=1, keepdims=True)
    units = (units / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    cosines = units @ units.T
    np.fill_diagonal(cosines, -np.inf)
    return np.asarray(np.argpartition(cosines, -NEIGHBOURS, axis=1)[:, -NEIGHBOURS:])


def measure_agreement(similarity: np.ndarray, rows: np.ndarray) -> Agreement | None:
    """Compare the similarity by behaviour (n, n) of n items with their `rows` (n, d) of a feature.

    None if there is nothing to compare: fewer than FEWEST_ITEMS items, or all pairs equally similar.
    """
    size = len(rows)
    spread = _spread(similarity) if size >= FEWEST_ITEMS else 0.0
    if spread < FLAT:
        return None
    nearest = find_nearest(rows)
    observed = similarity[np.repeat(np.arange(size), NEIGHBOURS), nearest.ravel()].mean(dtype=np.float64)
    mean, deviation = permuted_moments(similarity, nearest)
    return Agreement(size, float(observed), mean, deviation, spread)


def _spread(similarity: np.ndarray) -> float:
    """Return the standard deviation of what is not on the diagonal."""
    pairs = len(similarity) * (len(similarity) - 1)
    mean = similarity.sum(dtype=np.float64) / pairs
    return math.sqrt(max(np.einsum("ij,ij->", similarity, similarity, dtype=np.float64) / pairs - mean**2, 0))


def permuted_moments(similarity: np.ndarray, nearest: np.ndarray) -> tuple[float, float]:
    """Return mean and standard deviation, over all n! permutations, of the mean similarity of neighbours.

    similarity (n, n), symmetric and 0 on the diagonal; nearest (n, k). Exact, in place of a sample of permutations:
    Mantel (1967), The detection of disease clustering and a generalized regression approach, Cancer Research 27; in
    the form of Cliff and Ord (1981), Spatial Processes, with the sums S0, S1 and S2 of both matrices.
    """
    size, count = nearest.shape
    left, right = np.repeat(np.arange(size), count), nearest.ravel()
    edges = np.zeros((size, size), dtype=bool)
    edges[left, right] = True
    graph = (
        left.size,
        left.size + (edges & edges.T).sum(),
        ((count + np.bincount(right, minlength=size)) ** 2.0).sum(),
    )
    sums = similarity.sum(axis=1, dtype=np.float64)
    squares = np.einsum("ij,ij->", similarity, similarity, dtype=np.float64)
    weights = (sums.sum(), 2 * squares, 4 * (sums**2).sum())
    pairs = size * (size - 1.0)
    (g0, g1, g2), (w0, w1, w2) = graph, weights
    mean = g0 * w0 / pairs
    variance = g1 * w1 / (2 * pairs)
    variance += (g2 - 2 * g1) * (w2 - 2 * w1) / (4 * pairs * (size - 2))
    variance += (g0**2 + g1 - g2) * (w0**2 + w1 - w2) / (pairs * (size - 2) * (size - 3))
    return float(mean / g0), math.sqrt(max(variance - mean**2, 0)) / g0
