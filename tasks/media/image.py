"""Decodes image files to RGB pixels."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable

import numpy as np
from PIL import Image, UnidentifiedImageError

from tasks.data.kinds import kind_of
from tasks.media import BadMedia, check_size, in_short
from tasks.media.pictures import MOST_PIXELS, Deep, Tidy, Unusable, check_pixels
from tasks.media.pictures.exif import UPRIGHT, orientation_of
from tasks.media.pictures.jpeg import read_jpeg
from tasks.media.pictures.others import read_avif, read_bmp, read_gif, read_webp
from tasks.media.pictures.png import read_png
from tasks.media.pictures.tiff import read_tiff
from tasks.media.remarks import remark_on_picture

READERS: dict[str, Callable[[bytes], Tidy | Deep]] = {  # no other parser of Pillow reads the bytes
    "JPEG": read_jpeg,
    "PNG": read_png,
    "WebP": read_webp,
    "GIF": read_gif,
    "BMP": read_bmp,
    "TIFF": read_tiff,
    "AVIF": read_avif,
}
TURNS = {  # EXIF orientation -> what makes it upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Set once per process: warning filters cannot be changed per call while other threads decode.
Image.MAX_IMAGE_PIXELS = MOST_PIXELS  # also limits frames of a GIF and tiles of a TIFF
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # odd metadata do not matter


def decode_image(data: bytes) -> np.ndarray:
    """Return (height, width, 3) uint8 RGB of the first frame, rotated as its EXIF says, with a white background.

    The whole image is decoded, because Pillow's `verify` accepts a truncated JPEG. 16-bit levels are divided by 257
    and rounded; Pillow would clip grey to white and cut colours. Raises BadMedia with the reason.
    """
    check_size(data, "image")
    kind = kind_of(data)
    if kind not in READERS:
        known = ", ".join(READERS)
        raise BadMedia(f"{kind}, not a picture of {known}" if kind else f"not a picture of a known format ({known})")
    try:
        pixels = _decode(kind, data)
    except Unusable as error:
        raise BadMedia(str(error)) from error
    except UnidentifiedImageError as error:  # its message has an address in memory
        raise BadMedia(f"damaged {kind} (its header)") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise BadMedia(f"more than {MOST_PIXELS} pixels") from error
    except Exception as error:  # parsers raise many kinds of errors for untrusted bytes
        raise BadMedia(f"damaged {kind} ({in_short(error)})") from error
    remark_on_picture(pixels)
    return pixels


def _decode(kind: str, data: bytes) -> np.ndarray:
    found = READERS[kind](data)
    if isinstance(found, Deep):
        return np.array(_turn(_on_white(_of_deep(found)), found.orientation))
    with Image.open(io.BytesIO(found.data), formats=[kind.upper()]) as image:
        check_pixels(*image.size)
        image.load()
        if found.check is not None:
            found.check(image)
        turned = found.orientation
        if kind in {"WebP", "AVIF"}:  # their containers are taken apart by Pillow
            turned = orientation_of(image.info.get("exif", b""))
        seen = _on_white(_invert(image) if found.inverted else image)
        return np.array(_turn(seen if found.window is None else _cut_out(seen, found.window), turned))


def _cut_out(image: Image.Image, window: tuple[int, int, int, int]) -> Image.Image:
    """Return the picture with white around the window."""
    ground = Image.new("RGB", image.size, (255, 255, 255))
    ground.paste(image.crop(window), window[:2])
    return ground


def _turn(image: Image.Image, orientation: int) -> Image.Image:
    return image if orientation == UPRIGHT else image.transpose(TURNS[orientation])


def _invert(image: Image.Image) -> Image.Image:
    """Return a picture, whose zeros are white, as others are; transparency stays."""
    grey, *alpha = (image.convert("L") if image.mode == "1" else image).split()
    return Image.merge("LA" if alpha else "L", [grey.point(lambda level: 255 - level), *alpha])


def _of_deep(deep: Deep) -> Image.Image:
    """Return 16-bit levels as a picture of 8 bits; 65535 = 257 * 255."""
    channels = [((band.astype(np.uint32) + 128) // 257).astype(np.uint8) for band in np.moveaxis(deep.levels, 2, 0)]
    mode = "CMYK" if deep.inks else ("L", "LA", "RGB", "RGBA")[len(channels) - 1]
    return Image.merge(mode, [Image.fromarray(np.ascontiguousarray(channel)) for channel in channels])


def _on_white(image: Image.Image) -> Image.Image:
    """Return RGB; what is transparent shows white."""
    if image.mode.startswith("I") or image.mode == "F":
        raise Unusable(f"a picture of mode {image.mode}, expected 8 or 16 bits")
    if image.mode in {"RGBa", "La"}:
        image = image.convert("RGBA" if image.mode == "RGBa" else "LA")
    if ("A" in image.getbands() and image.mode != "LAB") or "transparency" in image.info:
        layer = image.convert("RGBA")
        ground = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(ground, layer).convert("RGB")
    return image.convert("RGB")
