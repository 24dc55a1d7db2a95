"""The kinds of pictures that `mutations` damages, and how half of one is told."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from tasks.media.image import decode_image
from tests.encoders.media import picture, saved
from tests.media.mutations import Kind
from tests.media.pictures import chunk, exif, png, tiff

VARIANTS = 4
SIZE = (44, 36)
UNCHECKED = ("bmp", "tiff", "webp", "avif")  # zeros in these are pixels or codes, and there is no checksum


def noise(seed: int, channels: int = 3, dtype: type[np.unsignedinteger] = np.uint8) -> np.ndarray:
    """Pixels (height, width, channels)."""
    most = np.iinfo(dtype).max + 1
    return np.random.default_rng(seed).integers(0, most, (*SIZE[::-1], channels)).astype(dtype)


def pillow(form: str, **options: Any) -> Callable[[int], bytes]:
    """A maker of files that Pillow writes."""
    return lambda seed: saved(picture(SIZE, seed), form, **options)


def animated(form: str) -> Callable[[int], bytes]:
    """A maker of files with three frames."""
    later = [picture(SIZE, 90), picture(SIZE, 91)]
    return lambda seed: saved(picture(SIZE, seed), form, save_all=True, append_images=later)


def bmp_rle(seed: int) -> bytes:
    """Eight bits a pixel in runs, which Pillow reads and does not write."""
    rows = b"".join(b"".join(bytes([4, int(one)]) for one in row[:11]) + b"\0\0" for row in noise(seed, 1)[..., 0])
    head = struct.pack("<IiiHHIIiiII", 40, *SIZE, 1, 8, 1, len(rows) + 2, 0, 0, 256, 0)
    colours = b"".join(bytes([level, level, level, 0]) for level in range(256))
    start = 14 + len(head) + len(colours)
    return b"BM" + struct.pack("<IHHI", start + len(rows) + 2, 0, 0, start) + head + colours + rows + b"\0\1"


ODD = (0x011A, 5, 1, struct.pack("<I", 60_000))
EXTRAS = [chunk(b"tEXt", b"k\0" + b"x" * 400), chunk(b"iCCP", b"p\0\0" + b"y" * 50), chunk(b"tIME", b"1234567")]
MAKERS: dict[str, Callable[[int], bytes]] = {
    "png": lambda seed: png(noise(seed, 1 + seed), extras=EXTRAS, late=EXTRAS),
    "png-deep": lambda seed: png(noise(seed, 1 + seed, np.uint16)),
    "png-colours": lambda seed: saved(picture(SIZE, seed).quantize(64), "PNG", transparency=seed),
    "png-animated": animated("PNG"),
    "jpeg": pillow("JPEG", exif=b"Exif\0\0" + exif(6, ODD)),
    "jpeg-progressive": pillow("JPEG", progressive=True),
    "webp": pillow("WEBP", exif=exif(3)),
    "webp-lossless": pillow("WEBP", lossless=True),
    "webp-animated": animated("WEBP"),
    "gif": animated("GIF"),
    "bmp": pillow("BMP"),
    "bmp-rle": bmp_rle,
    "tiff": lambda seed: tiff(noise(seed), 2, order="<>"[seed % 2]),
    "tiff-deep": lambda seed: tiff(noise(seed, 3, np.uint16), 2, deflated=True, predictor=2, tile=16 * (seed % 2)),
    "tiff-lzw": pillow("TIFF", compression="tiff_lzw"),
    "tiff-jpeg": pillow("TIFF", compression="jpeg"),
    "avif": pillow("AVIF"),
    "avif-animated": animated("AVIF"),
}


@cache
def whole(name: str, seed: int) -> bytes:
    """A picture of noise without damage."""
    return MAKERS[name](seed)


def judge(name: str, result: object) -> str:
    """Noise has no rows of one colour; where a decoder has filled in the last ones, half of the picture is lost."""
    assert isinstance(result, np.ndarray)
    assert result.dtype == np.uint8
    assert result.shape[2] == 3
    rows = result.astype(int)
    plain = [bool((row == row[0]).all()) for row in rows]
    other = max(rows.shape) > max(SIZE) or min(rows.shape[:2]) < 4  # the damage is in the size
    return (
        ""
        if other or name.startswith(UNCHECKED) or not all(plain[-4:])
        else f"the last of {len(rows)} rows are one colour"
    )


def _kind(name: str) -> Kind:
    return Kind(
        lambda rng: whole(name, int(rng.integers(VARIANTS))), decode_image, lambda _data, result: judge(name, result)
    )


PICTURES = {name: _kind(name) for name in MAKERS}
