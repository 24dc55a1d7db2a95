"""Decodes image files to RGB pixels."""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from tasks.media import BadMedia, check_size, in_short
from tasks.media.remarks import remark_on_picture

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")  # no other parser of Pillow reads the bytes
MOST_PIXELS = 50_000_000

# Set once per process: warning filters cannot be changed per call while other threads decode.
Image.MAX_IMAGE_PIXELS = MOST_PIXELS  # also limits frames of a GIF and tiles of a TIFF
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # odd metadata do not matter


def decode_image(data: bytes) -> np.ndarray:
    """Return (height, width, 3) uint8 RGB of the first frame, rotated as its EXIF says, with a white background.

    The whole image is decoded, because Pillow's `verify` accepts a truncated JPEG. 16-bit grey is scaled to 8 bits;
    Pillow would clip it to white. Raises BadMedia with the reason.
    """
    check_size(data, "image")
    try:
        pixels = _decode(data)
    except BadMedia:
        raise
    except UnidentifiedImageError as error:
        raise BadMedia("not a picture of a known format") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise BadMedia(f"more than {MOST_PIXELS} pixels") from error
    except Exception as error:  # parsers raise many kinds of errors for untrusted bytes
        raise BadMedia(f"damaged picture ({in_short(error)})") from error
    remark_on_picture(pixels)
    return pixels


def _decode(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        width, height = image.size
        if width * height > MOST_PIXELS:
            raise BadMedia(f"{width} x {height} pixels, more than {MOST_PIXELS}")
        image.load()
        return np.array(_rgb(ImageOps.exif_transpose(image)))


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        grey = np.asarray(image).astype(np.uint32)
        return Image.fromarray(((grey + 128) // 257).astype(np.uint8)).convert("RGB")  # 65535 = 257 * 255
    if image.mode in {"I", "F"}:  # TIFF: the value of white is not defined
        raise BadMedia("a picture of 32-bit numbers, expected 8 or 16 bits")
    if "A" in image.getbands() or "transparency" in image.info:
        layer = image.convert("RGBA")
        ground = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(ground, layer).convert("RGB")
    return image.convert("RGB")
