"""Row-wise checks of an embedding matrix, independent of its meaning."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from tasks.quality.suite import ID

NORMS = 100.0  # a norm is at most this many times the median's, and at least its share; on real media .23 to 1.5 times
NEAR = 1e-6  # 1 - cosine from which two vectors are one: 1.4e-3 of their length
NEIGHBOURS = 8  # compared with each vector, in the order of a projection
BLOCK = 4096  # rows converted to float64 at once


def row_digests(array: np.ndarray) -> np.ndarray:
    """Return a digest of the bytes of each row of (n, d): (n,) of str, equal for bit-equal rows."""
    rows = np.ascontiguousarray(array)
    return np.array([hashlib.blake2b(row.tobytes(), digest_size=16).hexdigest() for row in rows], dtype=object)


def row_flags(array: np.ndarray, ids: np.ndarray, media: np.ndarray) -> pd.DataFrame:
    """Return flags per vector of the numeric (n, d) `array`; ids and media (n,) of str, media "" if unknown.

    finite: no NaN or infinity. nonzero: not all zero. varied: not all components equal (for a vector that is neither
    zero nor a single number). own: no *other* medium has the same vector, so the encoder distinguishes them. faithful:
    the same medium has this vector wherever it occurs. normal: its norm is like the median's (NORMS). apart: no other
    medium has nearly the same direction (NEAR), unless with the very same vector. Each flag reports only its own fault:
    a row that is not finite counts as nonzero, varied, own, normal and apart.
    """
    finite = np.isfinite(array).all(axis=1)
    nonzero = (array != 0).any(axis=1)
    varied = (array != array[:, :1]).any(axis=1) | ~nonzero | ~finite | (array.shape[1] < 2)
    sound = finite & nonzero & varied
    digests = row_digests(array)
    origin = np.where(media == "", ids, media)
    frame = pd.DataFrame({"digest": digests, "origin": origin})
    shared = frame.groupby("digest")["origin"].transform("nunique").to_numpy() > 1
    split = frame.groupby("origin")["digest"].transform("nunique").to_numpy() > 1
    flags = {"finite": finite, "nonzero": nonzero, "varied": varied, "own": ~shared | ~sound}
    flags |= {"faithful": ~split | (media == ""), "normal": normal_norms(array, sound)}
    apart = np.ones(len(array), dtype=bool)
    apart[sound] = ~find_near(array[sound], origin[sound], digests[sound])
    return pd.DataFrame({ID: ids, **flags, "apart": apart})


def normal_norms(array: np.ndarray, sound: np.ndarray) -> np.ndarray:
    """Whether the norm of each row (n, d) is like the median of those that are `sound` (n,); True for the others."""
    norms = np.full(len(array), np.nan)
    for start in range(0, len(array), BLOCK):
        norms[start : start + BLOCK] = np.linalg.norm(array[start : start + BLOCK].astype(np.float64), axis=1)
    normal = np.ones(len(array), dtype=bool)
    if sound.any():
        ratio = norms[sound] / np.median(norms[sound])
        normal[sound] = (ratio <= NORMS) & (ratio >= 1 / NORMS)
    return normal


def find_near(array: np.ndarray, origins: np.ndarray, digests: np.ndarray) -> np.ndarray:
    """Whether a row (n, d) has, but for NEAR, the direction of one of another origin (n,) and another digest (n,).

    Rows are finite and not zero.

    Rows that differ so little are neighbours in the order of a random projection, so each is compared with the next few
    in it: vectors that are one but for noise are found, and of looser pairs most.
    """
    near = np.zeros(len(array), dtype=bool)
    if not len(array):
        return near
    direction = np.random.default_rng(0).normal(size=array.shape[1])
    norms = np.concatenate(
        [
            np.linalg.norm(array[start : start + BLOCK].astype(np.float64), axis=1)
            for start in range(0, len(array), BLOCK)
        ]
    )
    order = np.argsort(array @ direction / norms, kind="stable")
    for start in range(0, len(order), BLOCK):
        rows = order[start : start + BLOCK + NEIGHBOURS]
        units = array[rows].astype(np.float64) / norms[rows, None]
        for step in range(1, min(NEIGHBOURS + 1, len(rows))):
            left, right = rows[:-step], rows[step:]
            cosines = np.einsum("nd,nd->n", units[:-step], units[step:])
            twins = (cosines >= 1 - NEAR) & (origins[left] != origins[right]) & (digests[left] != digests[right])
            near[left[twins]] = near[right[twins]] = True
    return near


def spread(array: np.ndarray) -> float:
    """Return the spread of directions of the finite, nonzero rows of (n, d): 0 if all are equal, 1 if balanced.

    This is 1 - |mean of the unit vectors|^2, the mean of (1 - cosine) over all pairs of rows, including a row with
    itself. For fewer than two such rows it is 1.
    """
    rows = array[np.isfinite(array).all(axis=1) & (array != 0).any(axis=1)].astype(np.float64)
    if len(rows) < 2:
        return 1.0
    mean = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).mean(axis=0)
    return float(1.0 - mean @ mean)
