"""What the towers are given of a file, in a compact form. Imports no torch: it runs in processes of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.encoders.audioclip.config import AudioCLIPConfig
from tasks.encoders.audioclip.preprocess import RATE, crop
from tasks.encoders.audioclip.tokenizer import contexts
from tasks.media import BadMedia
from tasks.media.audio import decode_audio
from tasks.media.image import decode_image
from tasks.media.text import decode_text


@dataclass(frozen=True)
class Decoder:
    """A file of the modality to pixels (1, side, side, 3) uint8, samples (n,) float32 or token ids (contexts, length).

    Raises BadMedia.
    """

    modality: str
    config: AudioCLIPConfig
    bandwidth: float | None = None  # Hz, of sounds

    def __call__(self, data: bytes) -> np.ndarray:
        """See the class."""
        if self.modality == "image":
            return crop(decode_image(data), self.config.image_resolution)[None]
        if self.modality == "audio":
            return decode_audio(data, RATE, self.bandwidth)
        pieces = contexts(decode_text(data), self.config.context_length)
        if not len(pieces):
            raise BadMedia("no word in the text")
        return pieces
