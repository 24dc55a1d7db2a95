"""What each format of pictures needs before Pillow reads it: the structure is checked and odd extras are left out.

Pillow parses text, profiles, EXIF and resolution on the way and gives up where one of them is odd; here they never
reach it, and what says that pixels are missing (checksums, lengths, ends) is looked at, which Pillow partly does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

MOST_PIXELS = 50_000_000


class Damaged(ValueError):
    """A file of a known format that is not whole; the message is what is wrong, without the format's name."""


class Unusable(ValueError):
    """A whole file that is of no use; the message is the reason."""


@dataclass(frozen=True)
class Tidy:
    """What Pillow is given, and the EXIF orientation 1 to 8; `inverted`: 0 is white.

    `window`: left, top, right and bottom of the pixels that there are; around them it is transparent.
    `check` is called with the picture that Pillow has read, and raises Damaged if it fills in what was not there.
    """

    data: bytes
    orientation: int = 1
    inverted: bool = False
    window: tuple[int, int, int, int] | None = None
    check: Callable[[Image.Image], None] | None = None


@dataclass(frozen=True)
class Deep:
    """Levels (height, width, channels) uint16 of 1 (grey), 2 (grey, alpha), 3 (RGB), 4 (RGBA; or CMYK) channels."""

    levels: np.ndarray
    orientation: int = 1
    inks: bool = False


def check_pixels(width: int, height: int) -> None:
    """Raise Unusable for a picture of more pixels than are read, before memory is taken for them."""
    if width * height > MOST_PIXELS:
        raise Unusable(f"{width} x {height} pixels, more than {MOST_PIXELS}")


def check_numbers(width: int, height: int, channels: int) -> None:
    """Raise Unusable for a picture of 16 bits with more numbers than others may have pixels: these take more memory."""
    if width * height * channels > MOST_PIXELS:
        raise Unusable(f"{width} x {height} pixels of {channels} times 16 bits, more than {MOST_PIXELS} numbers")
