"""Row-wise checks of an embedding matrix, independent of its meaning."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from tasks.quality.suite import ID


def row_digests(array: np.ndarray) -> np.ndarray:
    """Return a digest of the bytes of each row of (n, d): (n,) of str, equal for bit-equal rows."""
    rows = np.ascontiguousarray(array)
    return np.array([hashlib.blake2b(row.tobytes(), digest_size=16).hexdigest() for row in rows], dtype=object)


def row_flags(array: np.ndarray, ids: np.ndarray, media: np.ndarray) -> pd.DataFrame:
    """Return flags per vector of the numeric (n, d) `array`; ids and media (n,) of str, media "" if unknown.

    finite: no NaN or infinity. nonzero: not all zero. varied: not all components equal (for a vector that is neither
    zero nor a single number). own: no *other* medium has the same vector, so the encoder distinguishes them. faithful:
    the same medium has this vector wherever it occurs. Each flag reports only its own fault: a row that is not finite
    counts as nonzero, varied and own.
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
    own, faithful = ~shared | ~sound, ~split | (media == "")
    return pd.DataFrame(
        {ID: ids, "finite": finite, "nonzero": nonzero, "varied": varied, "own": own, "faithful": faithful}
    )


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
