"""Every user's interactions in a release, with the split that each was in: what is not recommended, and learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from scipy import sparse

from tasks.data import Sequences
from tasks.data.dataset import PARTS
from tasks.errors import BadInput, Corrupt
from tasks.store import Artefact

HISTORIES = "histories.safetensors"


@dataclass(frozen=True)
class Histories:
    """`taken` (U + V, K + A) with the split of each interaction, sorted indices; 3 is none of PARTS.

    `others`: those of the V users outside the dataset of U users and K items, oldest first. `parts`: what the served
    model learned from; its twin learned from the first of PARTS.
    """

    taken: sparse.csr_matrix
    others: Sequences
    parts: Sequence[str]
    shape: tuple[int, int]  # (U, K)

    def learned(self, parts: Sequence[str]) -> sparse.csr_matrix:
        """The interactions of some parts, (U, K) float32 of ones."""
        inner = self.taken[: self.shape[0], : self.shape[1]].astype(np.float32)
        inner.data[:] = np.isin(inner.data, [PARTS.index(part) for part in parts])
        inner.eliminate_zeros()
        return inner


def load_histories(
    release: Artefact, shape: tuple[int, int], *, users: int | None = None, items: int | None = None
) -> Histories:
    """Those of a release with a dataset of `shape` (U, K) among `users` and `items`, by default no more than that.

    Raises Corrupt for a file that is not one row of items for each user.
    """
    whole = users or shape[0], items or shape[1]
    arrays = {name: tensor.numpy() for name, tensor in release.tensors(HISTORIES).items()}
    none = np.zeros(0, dtype=np.int64), np.zeros(1, dtype=np.int64)
    try:
        taken = sparse.csr_matrix((arrays["splits"], arrays["items"], arrays["starts"]), shape=whole)
        taken.check_format(full_check=True)
        others = Sequences(arrays.get("others_starts", none[1]), arrays.get("others_items", none[0]).astype(np.int64))
    except (BadInput, KeyError, ValueError) as error:
        raise _corrupt(release) from error
    if len(others) != whole[0] - shape[0]:
        raise _corrupt(release)
    parts = cast("Sequence[str]", release.manifest.parameters.get("learned_from", PARTS[:1]))
    return Histories(taken, others, parts, shape)


def _corrupt(release: Artefact) -> Corrupt:
    return Corrupt(f"{release.prefix}/{HISTORIES} is not one row of items for each user: publish again")
