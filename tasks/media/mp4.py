"""MP4 and QuickTime: whether the boxes of the file are all there. FFmpeg decodes what is left of a cut one in silence.

Source: ISO/IEC 14496-12.
"""

from __future__ import annotations

from collections.abc import Iterator

from tasks.media import BadMedia
from tasks.media.parts import Part

MOST_BOXES = 200_000  # a fragment of every 12 milliseconds
FIRST = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}  # the last five of QuickTime


def is_mp4(data: bytes) -> bool:
    """Whether the file begins as MP4 or QuickTime does."""
    return data[4:8] in FIRST


def split_mp4(data: bytes) -> list[Part]:
    """Return the file as a part. Raises BadMedia for one that is cut off, or is several."""
    indexed = False
    for name, place, size in _boxes(data):
        if place + size > len(data):
            raise BadMedia(f"truncated: {len(data) - place} of {size} bytes of its box {name}")
        if name == "sidx" and (missing := _end_of_segments(data, place, size) - len(data)) > 0:
            raise BadMedia(f"truncated: {missing} bytes of its segments are missing")
        if name == "moov" and indexed:
            raise BadMedia("several MP4 files in one, expected one")
        indexed = indexed or name == "moov"
    if not indexed:
        raise BadMedia("truncated: the index of the MP4 file (moov) is missing")
    return [Part(data, "mp4")]


def _boxes(data: bytes) -> Iterator[tuple[str, int, int]]:
    """Yield name, place and size of each box: a size of 1 stands for 64 bits behind the name, 0 for the rest."""
    place = 0
    for _ in range(MOST_BOXES):
        if place + 8 > len(data):
            return
        size, name = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        if size == 1:
            size = int.from_bytes(data[place + 8 : place + 16], "big")
        size = size or len(data) - place
        if size < 8 or not name.isascii() or not name.decode("ascii").isprintable():
            return  # something else behind the boxes
        yield name.decode("ascii"), place, size
        place += size
    raise BadMedia(f"damaged sound (more than {MOST_BOXES} boxes)")


def _end_of_segments(data: bytes, place: int, size: int) -> int:
    """Return where the segments end that an index (sidx) counts from its own end on; 0 if it is not whole.

    Behind name, version (8 bits), flags, id and time scale come time and offset, of 32 or 64 bits, and the number of
    segments (16 bits); the lower 31 bits of the first of three words of each are its size.
    """
    width = 8 if data[place + 8 : place + 9] == b"\1" else 4
    offset = place + 20 + width
    first = int.from_bytes(data[offset : offset + width], "big")
    start = offset + width + 4
    count = int.from_bytes(data[start - 2 : start], "big")
    if start + 12 * count > place + size:
        return 0
    sizes = (int.from_bytes(data[start + 12 * n : start + 12 * n + 4], "big") & 0x7FFF_FFFF for n in range(count))
    return place + size + first + sum(sizes)
