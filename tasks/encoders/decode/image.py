"""Pictures as RGB pixels."""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from tasks.encoders.decode import BadMedia

LARGEST = 64 << 20  # bytes
MOST_PIXELS = 50_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")


def decode_image(data: bytes) -> np.ndarray:
    """(height, width, 3) uint8 RGB of the first frame, turned upright; transparency is laid on white.

    Decoded whole: Pillow's `verify` lets a truncated JPEG pass. BadMedia with the reason otherwise.
    """
    if not data:
        raise BadMedia("empty file")
    if len(data) > LARGEST:
        raise BadMedia(f"{len(data)} bytes of picture, more than {LARGEST}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # odd EXIF: the pixels decide
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                width, height = image.size
                if width * height > MOST_PIXELS:
                    raise BadMedia(f"{width} x {height} pixels, more than {MOST_PIXELS}")
                image.load()
                return np.asarray(_rgb(ImageOps.exif_transpose(image)))
    except UnidentifiedImageError as error:
        raise BadMedia("not a picture of a known format") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise BadMedia("too many pixels") from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, OverflowError, MemoryError) as error:
        if isinstance(error, BadMedia):
            raise
        raise BadMedia(f"damaged picture ({' '.join(str(error).split())[:100]})") from error


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit grey: Pillow's own conversion would clip it to white
        grey = np.asarray(image, dtype=np.float64) / 257.0
        return Image.fromarray(np.clip(np.rint(grey), 0, 255).astype(np.uint8), "L").convert("RGB")
    if image.mode == "F":
        raise BadMedia("a picture of floating-point pixels")
    if "A" in image.getbands() or "transparency" in image.info:
        layer = image.convert("RGBA")
        ground = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(ground, layer).convert("RGB")
    return image.convert("RGB")
