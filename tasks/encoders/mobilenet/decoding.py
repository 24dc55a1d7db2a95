"""What the network is given of a picture. Imports no torch: it runs in processes of its own.

The transform is the one that torchvision publishes with these weights: 256 by bilinear interpolation, then the centre
of 224. A change here must change PREPROCESSING, and so every cache key.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from tasks.encoders.pictures import crop_centre, standardise
from tasks.media.image import decode_image

SHORTER, SIDE = 256, 224
MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)  # of ImageNet
DEVIATION = np.array([0.229, 0.224, 0.225], dtype=np.float32)


def decode_picture(data: bytes) -> np.ndarray:
    """Return (1, SIDE, SIDE, 3) uint8 of a file. Raises BadMedia."""
    return crop_centre(decode_image(data), SIDE, SHORTER, Image.Resampling.BILINEAR)[None]


def normalise(pixels: np.ndarray) -> np.ndarray:
    """Return (B, 3, SIDE, SIDE) float32 of (B, SIDE, SIDE, 3) uint8."""
    return standardise(pixels, MEAN, DEVIATION)
