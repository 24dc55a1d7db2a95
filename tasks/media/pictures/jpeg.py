"""JPEG (ITU-T T.81, annex B): the segments before the first scan without those that decide no pixel."""

from __future__ import annotations

import av
import numpy as np
from PIL import Image

from tasks.media.pictures import Damaged, Tidy
from tasks.media.pictures.exif import UPRIGHT, orientation_of

APP0, APP1, APP14, APP15, COMMENT = 0xE0, 0xE1, 0xEE, 0xEF, 0xFE
SCAN, END = 0xDA, 0xD9
PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
EXIF_MARK = 6  # bytes: Exif, a zero, and a byte that need not be one
BLOCK = 8  # pixels of a side
ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length


def read_jpeg(data: bytes) -> Tidy:
    """Return the file without comments and applications' data, and the orientation of its EXIF.

    JFIF and Adobe segments stay, which say what the channels are. Where segments do not follow one another as their
    lengths say, the rest stays as it is, for the decoder to judge.
    """
    kept, turned, place, layered = [data[:2]], 0, 2, False
    while data[place : place + 1] == b"\xff":
        marker = data[place + 1] if place + 1 < len(data) else END
        if marker == 0xFF:  # a fill byte
            place += 1
            continue
        if marker in {SCAN, END}:
            break
        length = 0 if marker in ALONE else int.from_bytes(data[place + 2 : place + 4], "big")
        end = place + 2 + length
        if end > len(data) or (length < 2 and marker not in ALONE):
            break
        body = data[place + 4 : end]
        layered |= marker in PROGRESSIVE
        if marker == APP1 and body.startswith(b"Exif\0") and not turned:
            turned = orientation_of(body[EXIF_MARK:])
        if _decides_pixels(marker, body):
            kept.append(data[place:end])
        place = end
    tidied = b"".join([*kept, data[place:]])
    return Tidy(tidied, turned or UPRIGHT, check=lambda image: _require_scans(tidied, image, layered=layered))


def _require_scans(data: bytes, image: Image.Image, *, layered: bool) -> None:
    """Raise Damaged if a scan ends before the picture does: libjpeg fills the rest with one colour and goes on.

    Where the last pixels are of one colour, and always in progressive files, where the rest would be blurred, FFmpeg
    reads the file again, which counts what it has read. It knows fewer kinds of JPEG; only that pixels are missing is
    believed.
    """
    corner = np.asarray(image.crop((max(image.width - BLOCK, 0), image.height - 1, *image.size)))
    if not layered and (corner != corner[:, :1]).any():
        return
    decoder = av.CodecContext.create("mjpeg", "r")
    decoder.options, decoder.thread_count = {"err_detect": "explode"}, 1
    try:
        decoder.decode(av.Packet(data))
    except av.InvalidDataError as error:
        raise Damaged("its pixels end before the picture does") from error
    except (av.FFmpegError, NotImplementedError):
        return


def _decides_pixels(marker: int, body: bytes) -> bool:
    if marker == APP0:
        return body.startswith(b"JFIF\0") and len(body) >= 14
    if marker == APP14:
        return body.startswith(b"Adobe") and len(body) >= 12
    return not APP0 <= marker <= APP15 and marker != COMMENT
