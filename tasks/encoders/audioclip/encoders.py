"""The three encoders of an AudioCLIP model, one per modality."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tasks.encoders.audioclip.decoding import Decoder
from tasks.encoders.audioclip.fast import FastAudioCLIP, convolution
from tasks.encoders.audioclip.model import AudioCLIP
from tasks.encoders.audioclip.preprocess import normalise, windows
from tasks.encoders.base import Variant
from tasks.training.device import require_device

PLAIN = Variant()
BATCH = {"cpu": convolution.BATCH, "cuda": 128}  # pieces per batch; twice as many of texts


class AudioCLIPEncoder:
    """Encodes media of one modality as (width,) vectors: the mean of the unit vectors of their pieces.

    An image is one piece, audio one piece per window, text one per context. The mean itself is not normalised.
    """

    def __init__(
        self,
        identity: str,
        width: int,
        *,
        decode: Decoder,
        tower: Callable[[Tensor], Tensor],
        batch: int,
        length: Callable[[np.ndarray], int] = len,
    ) -> None:
        self.identity = identity
        self.width = width
        self.decode = decode
        self._tower = tower
        self._batch = batch
        self._length = length

    def encode(self, media: Sequence[Any]) -> np.ndarray:
        """Return (len(media), width) float32; pieces of several media share a batch."""
        if not media:
            return np.zeros((0, self.width), dtype=np.float32)
        each = [self.pieces(medium) for medium in media]
        counts = [len(pieces) for pieces in each]
        vectors = self.encode_pieces([piece for pieces in each for piece in pieces])
        sums = np.add.reduceat(vectors, np.cumsum([0, *counts[:-1]]), axis=0)
        return np.ascontiguousarray(sums / np.array(counts, dtype=np.float32)[:, None], dtype=np.float32)

    def pieces(self, medium: np.ndarray) -> Sequence[np.ndarray]:
        """What the tower is given of a decoded medium, all of the same shape."""
        return windows(medium) if self.decode.modality == "audio" else list(medium)

    def encode_pieces(self, pieces: Sequence[np.ndarray]) -> np.ndarray:
        """Return (len(pieces), width) float32 unit vectors; those of about the same length share a batch."""
        order = np.argsort([self._length(piece) for piece in pieces], kind="stable")
        vectors = np.zeros((len(pieces), self.width), dtype=np.float32)
        for start in range(0, len(pieces), self._batch):
            places = order[start : start + self._batch]
            batch = torch.from_numpy(np.stack([pieces[place] for place in places]))
            vectors[places] = self._tower(batch).cpu().numpy()
        return vectors


def encoders_of(
    model: AudioCLIP, identities: Mapping[str, str], variant: Variant = PLAIN, *, device: str = "cpu"
) -> dict[str, AudioCLIPEncoder]:
    """Modality -> encoder, with the identity of each."""
    fast = FastAudioCLIP(model, half=variant.half, device=require_device(device))
    config = model.config

    def pixels(pieces: Tensor) -> Tensor:
        return fast.image(torch.from_numpy(normalise(pieces.numpy())))

    towers: dict[str, Callable[[Tensor], Tensor]] = {"image": pixels, "audio": fast.audio, "text": fast.text}
    return {
        modality: AudioCLIPEncoder(
            identities[modality],
            config.embed_dim,
            decode=Decoder(modality, config, variant.bandwidth),
            tower=tower,
            batch=BATCH[fast.device.type] * (2 if modality == "text" else 1),
            length=np.count_nonzero if modality == "text" else len,  # of a context that is padded with zeros
        )
        for modality, tower in towers.items()
    }
