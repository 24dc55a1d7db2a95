"""GIF, WebP, AVIF and BMP: whether they are whole, which Pillow does not always notice."""

from __future__ import annotations

import re
import struct

from tasks.media.pictures import Damaged, Tidy, check_pixels

EXTENSION, FRAME, TRAILER, CONTROL = 0x21, 0x2C, 0x3B, 0xF9
RLE = {1, 2}  # compressions of BMP: RLE8 and RLE4
BOXES = {b"ftyp", b"meta", b"moov", b"mdat", b"free", b"skip", b"uuid", b"moof", b"mfra", b"sidx", b"wide", b"pdin"}
EXIF_ITEM = re.compile(rb"(infe(?:\x02.{7}|\x03.{9}))Exif", re.DOTALL)  # ISO/IEC 14496-12, 8.11.6


def read_gif(data: bytes) -> Tidy:
    """Return the first frame of a GIF that has its trailer (GIF89a, CompuServe 1990). Raises Damaged and Unusable."""
    if len(data) < 13:
        raise Damaged("it ends within its header")
    place = 13 + _table(data[10])
    kept, control, window = [data[:place]], b"", None
    while place < len(data):
        kind = data[place]
        if kind == TRAILER:
            if window is None:
                raise Damaged("no picture before its end")
            return Tidy(b"".join([*kept, b";"]), window=window)
        if kind == EXTENSION:
            end = _behind_blocks(data, place + 2)
            if data[place + 1] == CONTROL and end - place == 8:
                control = data[place:end]
        elif kind == FRAME and place + 10 < len(data):
            left, top, width, height = struct.unpack_from("<HHHH", data, place + 1)
            end = _behind_blocks(data, place + 11 + _table(data[place + 9]))
            if window is None:
                check_pixels(width, height)
                kept += [control, data[place:end]]
                window = (left, top, left + width, top + height)
        else:
            raise Damaged(f"byte {kind:#04x} between its blocks")
        place = end
    raise Damaged("it ends before its trailer")


def _table(flags: int) -> int:
    """Return the bytes of a colour table."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _behind_blocks(data: bytes, place: int) -> int:
    while place < len(data):
        size = data[place]
        place += size + 1
        if not size:
            return place
    raise Damaged("it ends within a block")


def read_webp(data: bytes) -> Tidy:
    """Return a WebP file without what follows it (RFC 9649). Raises Damaged if it is shorter than it says."""
    size = 8 + int.from_bytes(data[4:8], "little")
    if size > len(data):
        raise Damaged(f"{len(data)} bytes, expected {size}")
    return Tidy(data[:size])


def read_avif(data: bytes) -> Tidy:
    """Return an AVIF file without its EXIF, which must not turn it (AVIF 1.1, 4.2). Raises Damaged if it was cut."""
    place = 0
    parts: list[bytes] = []
    while place < len(data):
        size, kind = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        if size == 1:
            size = int.from_bytes(data[place + 8 : place + 16], "big")
        size = size or len(data) - place  # 0: up to the end
        if parts and kind not in BOXES:
            break  # what somebody put behind it
        if size < 8 or place + size > len(data):
            raise Damaged("it ends within a part")
        part = data[place : place + size]
        # Pillow reads all of the EXIF and gives up on odd ones; as an item of another type nobody looks at it
        parts.append(EXIF_ITEM.sub(rb"\1skip", part) if kind == b"meta" else part)
        place += size
    return Tidy(b"".join(parts))


def read_bmp(data: bytes) -> Tidy:
    """Return a BMP file. Raises Damaged for run-length coded pixels without end, which Pillow would fill with black."""
    if len(data) < 54:
        return Tidy(data)
    if int.from_bytes(data[14:18], "little") >= 40 and int.from_bytes(data[30:34], "little") in RLE:
        _require_end(data, int.from_bytes(data[10:14], "little"), nibbles=data[30] == 2)
    return Tidy(data)


def _require_end(data: bytes, place: int, *, nibbles: bool) -> None:
    """Follow the codes to the end of the bitmap: count and value; 0 and 0 (line), 1 (end), 2 (move), n (n values)."""
    while place + 1 < len(data):
        count, code = data[place], data[place + 1]
        place += 2
        if count or code == 0:
            continue
        if code == 1:
            return
        size = 2 if code == 2 else (code + 1) // 2 if nibbles else code
        place += size + size % 2
    raise Damaged("it ends before its end code")
