"""An encoder of media that consist of pieces: pictures of one, sounds of windows, texts of contexts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor


class PieceEncoder:
    """Encodes media of one modality as (width,) vectors: the mean of the vectors that `tower` gives of their pieces.

    decode: makes of a file what `pieces` divides, into arrays of one shape. `tower` gives (B, width) of (B, ...), at
    most `batch` at once; pieces of about the same `length` share a batch. The mean itself is not normalised unless
    `unit` is set.
    """

    def __init__(
        self,
        identity: str,
        width: int,
        *,
        decode: Callable[[bytes], np.ndarray],
        tower: Callable[[Tensor], Tensor],
        batch: int,
        pieces: Callable[[np.ndarray], Sequence[np.ndarray]] = list,
        length: Callable[[np.ndarray], int] = len,
        unit: bool = False,
    ) -> None:
        self.identity = identity
        self.width = width
        self.decode = decode
        self.pieces = pieces
        self._tower = tower
        self._batch = batch
        self._length = length
        self._unit = unit

    def encode(self, media: Sequence[Any]) -> np.ndarray:
        """Return (len(media), width) float32; pieces of several media share a batch."""
        if not media:
            return np.zeros((0, self.width), dtype=np.float32)
        each = [self.pieces(medium) for medium in media]
        counts = [len(pieces) for pieces in each]
        vectors = self.encode_pieces([piece for pieces in each for piece in pieces])
        sums = np.add.reduceat(vectors, np.cumsum([0, *counts[:-1]]), axis=0)
        means = np.ascontiguousarray(sums / np.array(counts, dtype=np.float32)[:, None], dtype=np.float32)
        return means / np.linalg.norm(means, axis=1, keepdims=True) if self._unit else means

    def encode_pieces(self, pieces: Sequence[np.ndarray]) -> np.ndarray:
        """Return (len(pieces), width) float32."""
        order = np.argsort([self._length(piece) for piece in pieces], kind="stable")
        vectors = np.zeros((len(pieces), self.width), dtype=np.float32)
        for start in range(0, len(pieces), self._batch):
            places = order[start : start + self._batch]
            batch = torch.from_numpy(np.stack([pieces[place] for place in places]))
            vectors[places] = self._tower(batch).float().cpu().numpy()
        return vectors
