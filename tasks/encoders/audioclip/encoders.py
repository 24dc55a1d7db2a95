"""The three encoders of an AudioCLIP model, one per modality."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tasks.encoders.audioclip.fast import FastAudioCLIP
from tasks.encoders.audioclip.model import AudioCLIP
from tasks.encoders.audioclip.preprocess import RATE, crop, normalise, windows
from tasks.encoders.audioclip.tokenizer import contexts
from tasks.media import BadMedia
from tasks.media.audio import decode_audio
from tasks.media.image import decode_image
from tasks.media.text import decode_text
from tasks.training.device import require_device

Pieces = Sequence[np.ndarray] | np.ndarray  # pieces of one medium, all of the same shape
BATCH = {"cpu": 8, "cuda": 128}  # pieces per batch: larger batches are not faster on a CPU but need more memory


class AudioCLIPEncoder:
    """Encodes media of one modality as (width,) vectors: the mean of the unit vectors of their pieces.

    An image is one piece, audio one piece per window, text one per context. The mean itself is not normalised.
    """

    def __init__(
        self,
        identity: str,
        width: int,
        decode: Callable[[bytes], Pieces],
        tower: Callable[[Tensor], Tensor],
        batch: int,
    ) -> None:
        self.identity = identity
        self.width = width
        self._decode = decode
        self._tower = tower
        self._batch = batch

    def decode(self, data: bytes) -> Pieces:
        """Return the pieces for the tower, in a compact form. Raises BadMedia."""
        return self._decode(data)

    def encode(self, media: Sequence[Any]) -> np.ndarray:
        """Return (len(media), width) float32; pieces of several media share a batch."""
        if not media:
            return np.zeros((0, self.width), dtype=np.float32)
        counts = [len(pieces) for pieces in media]
        every = [piece for pieces in media for piece in pieces]
        batches = (np.stack(every[start : start + self._batch]) for start in range(0, len(every), self._batch))
        vectors = np.concatenate([self._tower(torch.from_numpy(batch)).cpu().numpy() for batch in batches])
        starts = np.cumsum([0, *counts[:-1]])
        sums = np.add.reduceat(vectors, starts, axis=0)
        return np.ascontiguousarray(sums / np.array(counts, dtype=np.float32)[:, None], dtype=np.float32)


def encoders_of(
    model: AudioCLIP, identity: str, *, half: bool = False, device: str = "cpu"
) -> dict[str, AudioCLIPEncoder]:
    """Modality -> encoder. `half` computes in bfloat16; `identity` says so."""
    fast = FastAudioCLIP(model, half=half, device=require_device(device))
    config = model.config

    def image(data: bytes) -> Pieces:
        return crop(decode_image(data), config.image_resolution)[None]

    def audio(data: bytes) -> Pieces:
        return windows(decode_audio(data, RATE))

    def text(data: bytes) -> Pieces:
        pieces = contexts(decode_text(data), config.context_length)
        if not len(pieces):
            raise BadMedia("no word in the text")
        return pieces

    def pixels(pieces: Tensor) -> Tensor:
        return fast.image(torch.from_numpy(normalise(pieces.numpy())))

    parts: dict[str, tuple[Callable[[bytes], Pieces], Callable[[Tensor], Tensor]]] = {
        "image": (image, pixels),
        "audio": (audio, fast.audio),
        "text": (text, fast.text),
    }
    return {
        modality: AudioCLIPEncoder(identity, config.embed_dim, decode, tower, BATCH[fast.device.type])
        for modality, (decode, tower) in parts.items()
    }
