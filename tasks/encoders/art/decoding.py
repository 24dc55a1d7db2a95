"""How a picture is decoded. Imports no torch: it runs in processes of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from tasks.encoders.art.common import SIDE
from tasks.encoders.pictures import crop_centre
from tasks.media.image import decode_image


@dataclass(frozen=True)
class PictureDecoder:
    """Decodes a file to (SIDE, SIDE, 3) uint8: the shorter side resized, then the centre cropped. Raises BadMedia."""

    side: int = SIDE

    def __call__(self, data: bytes) -> np.ndarray:
        """See the class."""
        return crop_centre(decode_image(data), self.side, self.side, Image.Resampling.BICUBIC)
