"""EASE: a linear item-item model in closed form.

Steck, Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019. With X the (users, items) interactions,
P = (X'X + lambda I)^-1 and B_ij = -P_ij / P_jj off the diagonal, 0 on it (equation 8); scores = X B.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
import torch
from pydantic import Field, PositiveFloat
from scipy import sparse
from scipy.linalg import lapack

from tasks.errors import BadInput, TaskError
from tasks.models.base import Model
from tasks.training import EpochRecord, ModelConfig, TrainingOptions

BLOCK = 512  # columns worked on at once, so that nothing beside the one matrix is large


class EASE(Model):
    """Closed form in float32 and in place: the peak is one (items, items) matrix and a few blocks of it."""

    name = "ease"

    class Config(ModelConfig):
        """One number, stated relative to the data so that one default suits sparse and dense logs alike."""

        relative_l2: PositiveFloat = Field(default=3.25, description="lambda over the mean of the diagonal of X'X")

    config: Config

    def fit(self, options: TrainingOptions) -> list[EpochRecord]:
        """Invert; BadInput when the matrix would pass `options.memory_gib`."""
        start = time.perf_counter()
        items = self.data.train.shape[1]
        needed = peak_bytes(items) / 2**30
        if needed > options.memory_gib:
            raise BadInput(
                f"ease on {items} items needs {needed:.1f} GiB, expected at most {options.memory_gib:g} GiB: "
                "give more memory, raise k_core, or leave ease out of the models"
            )
        l2 = self.config.relative_l2 * self.data.train.nnz / items  # the diagonal of X'X holds each item's interactions
        self._weights = weights_in_place(gram(self.data.train), l2)
        self.fitted = True
        return [EpochRecord(epoch=1, loss=None, valid=None, seconds=time.perf_counter() - start)]

    def _scores(self, users: np.ndarray) -> np.ndarray:
        found: np.ndarray = self.data.train[users] @ self._weights
        return np.asarray(found, dtype=np.float32)

    def item_vectors(self) -> np.ndarray:
        """(items, items): row j is column j of B, the weights that speak for item j; like items have like speakers."""
        return self._weights.T

    def state(self) -> dict[str, torch.Tensor]:
        """`weights` (items, items), B of the paper."""
        return {"weights": torch.from_numpy(np.ascontiguousarray(self._weights))}

    def _set_state(self, state: Mapping[str, torch.Tensor]) -> None:
        items = self.data.train.shape[1]
        self._checked(state, {"weights": (items, items)})
        self._weights = state["weights"].numpy()


def peak_bytes(items: int) -> int:
    """Peak allocation of a fit: the float32 matrix and four blocks of its columns."""
    return 4 * items * (items + 4 * min(BLOCK, items))


def gram(interactions: sparse.csr_matrix) -> np.ndarray:
    """X'X as a dense float32 matrix in Fortran order (what LAPACK works on in place); counts are exact below 2^24."""
    columns = interactions.tocsc().astype(np.float32)
    rows = columns.T.tocsr()
    items = interactions.shape[1]
    found = np.empty((items, items), dtype=np.float32, order="F")
    for start in range(0, items, BLOCK):
        found[:, start : start + BLOCK] = (rows @ columns[:, start : start + BLOCK]).toarray()
    return found


def weights_in_place(matrix: np.ndarray, l2: float) -> np.ndarray:
    """B of EASE from X'X, which is overwritten: (items, items) float32 in Fortran order."""
    diagonal = np.einsum("ii->i", matrix)
    diagonal += np.float32(l2)
    factor, failed = lapack.spotrf(matrix, lower=1, clean=0, overwrite_a=1)
    if failed:
        raise TaskError(
            f"ease found its matrix not positive definite at item {failed}, expected it to be: "
            f"raise relative_l2 (lambda is {l2:g})"
        )
    inverse, failed = lapack.spotri(factor, lower=1, overwrite_c=1)
    if failed:
        raise TaskError(
            f"ease found its matrix singular at item {failed}, expected it not to be: "
            f"raise relative_l2 (lambda is {l2:g})"
        )
    scale = -1.0 / np.einsum("ii->i", inverse).copy()
    for start in range(0, len(inverse), BLOCK):  # LAPACK fills the lower triangle only
        stop = min(start + BLOCK, len(inverse))
        square = np.tril(inverse[start:stop, start:stop])
        inverse[start:stop, start:stop] = square + np.tril(square, -1).T
        inverse[start:stop, stop:] = inverse[stop:, start:stop].T
    inverse *= scale[None, :]
    np.einsum("ii->i", inverse)[:] = 0.0
    return inverse
