"""What both encoders of album art share: how a picture is decoded, and their options. No torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from tasks.encoders.pictures import crop_centre
from tasks.media.image import decode_image

MODALITIES = ("image",)
PREPROCESSING = "p1"
SIDE, LAYERS = 128, 7  # 2 ** LAYERS == SIDE: the last convolution leaves one pixel
OPTIONS: dict[str, object] = {
    "width": 128,
    "hidden": [16, 32, 64, 64, 128, 128, 256],
    "epochs": 30,
    "batch": 32,
    "learning_rate": 1e-3,
}


@dataclass(frozen=True)
class PictureDecoder:
    """Decodes a file to (SIDE, SIDE, 3) uint8: the shorter side resized, then the centre cropped. Raises BadMedia."""

    side: int = SIDE

    def __call__(self, data: bytes) -> np.ndarray:
        """See the class."""
        return crop_centre(decode_image(data), self.side, self.side, Image.Resampling.BICUBIC)
