"""PNG (W3C Recommendation, Third Edition): only the chunks that decide pixels, and all of these whole."""

from __future__ import annotations

import io
import re
import struct
import zlib
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from tasks.media.pictures import Damaged, Deep, Tidy, check_numbers, check_pixels
from tasks.media.pictures.exif import orientation_of

SIGNATURE = b"\x89PNG\r\n\x1a\n"
NEEDED = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS"}  # tRNS: not critical by the letter, but it decides what is seen
NEXT = re.compile(b"PLTE|IDAT|IEND")
MOST_TRIES = 64  # of a search for the next whole chunk, which reads each to its end
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
GREY, RGB, PALETTE = 0, 2, 3
WITH_ALPHA = {GREY: 4, RGB: 6}
# Adam7: first column, first row, and steps of each pass
PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


@dataclass
class Chunks:
    """The chunks of a file that matter; pixels are those of all IDAT together."""

    header: bytes = b""
    palette: bytes = b""
    transparency: bytes = b""
    exif: bytes = b""
    pixels: list[bytes] = field(default_factory=list)


@dataclass(frozen=True)
class Header:
    """The fields of IHDR."""

    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool


def read_png(data: bytes) -> Tidy | Deep:
    """Return the file without what does not matter, or the levels of one of 16 bits. Raises Damaged and Unusable."""
    chunks = _read_chunks(data)
    header = _read_header(chunks.header)
    check_pixels(header.width, header.height)
    if not chunks.pixels:
        raise Damaged("no pixels (IDAT)")
    if header.colour == PALETTE and not chunks.palette:
        raise Damaged("no palette (PLTE)")
    turned = orientation_of(chunks.exif)
    pixels = b"".join(chunks.pixels)
    if header.depth == 16:
        check_numbers(header.width, header.height, CHANNELS[header.colour])
        return Deep(_deep_levels(header, pixels, chunks.transparency), turned)
    extras = {b"PLTE": chunks.palette, b"tRNS": _scale_key(header, chunks.transparency)}
    return Tidy(_write(chunks.header, pixels, extras), turned, check=lambda image: _require_rows(header, pixels, image))


def _require_rows(header: Header, packed: bytes, image: Image.Image) -> None:
    """Raise Damaged if there are fewer rows than the header says: Pillow leaves the others black."""
    last = image.crop((0, header.height - 1, header.width, header.height)).tobytes()
    if header.interlaced or not last.strip(b"\0"):
        _inflate(packed, header)


def _read_chunks(data: bytes) -> Chunks:
    if not data.startswith(SIGNATURE):
        raise Damaged("its first eight bytes")
    found, place = Chunks(), len(SIGNATURE)
    while True:
        kind, body, place = _next_chunk(data, place)
        if not found.header and kind != b"IHDR":
            raise Damaged("no header (IHDR) at its start")
        if kind == b"IEND":
            return found
        if kind == b"IHDR" and found.header:
            raise Damaged("two headers (IHDR)")
        if kind == b"IHDR":
            found.header = body
        elif kind == b"IDAT":
            found.pixels.append(body)
        elif kind == b"PLTE":
            found.palette = found.palette or body
        elif kind == b"tRNS":
            found.transparency = found.transparency or body
        elif kind == b"eXIf":
            found.exif = found.exif or body


def _next_chunk(data: bytes, place: int) -> tuple[bytes, bytes, int]:
    """Return the next chunk and where the one behind it begins; what a damaged length skips is found again."""
    head = data[place : place + 8]
    if len(head) < 8:
        raise Damaged("it ends before its end chunk (IEND)")
    kind, end = head[4:], place + 8 + int.from_bytes(head[:4], "big")
    body = data[place + 8 : end]
    if _is_whole(data, place):
        if kind[0] & 0x20 == 0 and kind not in NEEDED:
            raise Damaged(f"an unknown chunk {kind!r} that pixels depend on")
        return kind, body, end + 4
    if kind in NEEDED:
        raise Damaged(
            f"it ends within chunk {kind.decode()}" if end + 4 > len(data) else f"checksum of {kind.decode()}"
        )
    if _looks_like_chunk(data, end + 4):  # only its content is damaged
        return kind, body, end + 4
    return b"", b"", _find_chunk(data, place + 8)


def _is_whole(data: bytes, place: int) -> bool:
    """Whether a chunk begins there and ends within the file, with the right checksum."""
    end = place + 8 + int.from_bytes(data[place : place + 4], "big")
    if end + 4 > len(data):
        return False
    return zlib.crc32(memoryview(data)[place + 4 : end]) == int.from_bytes(data[end : end + 4], "big")


def _looks_like_chunk(data: bytes, place: int) -> bool:
    end = place + 12 + int.from_bytes(data[place : place + 4], "big")
    return end <= len(data) and data[place + 4 : place + 8].isalpha()


def _find_chunk(data: bytes, place: int) -> int:
    for _, found in zip(range(MOST_TRIES), NEXT.finditer(data, place + 4), strict=False):
        if _is_whole(data, found.start() - 4):
            return found.start() - 4
    raise Damaged("a chunk of odd length, and none behind it")


def _read_header(body: bytes) -> Header:
    if len(body) != 13:
        raise Damaged(f"a header of {len(body)} bytes")
    width, height, depth, colour, packing, filtering, interlace = struct.unpack(">IIBBBBB", body)
    if not (width and height) or depth not in DEPTHS.get(colour, ()) or packing or filtering or interlace > 1:
        raise Damaged("the values of its header")
    return Header(width, height, depth, colour, bool(interlace))


def _scale_key(header: Header, transparency: bytes) -> bytes:
    """Return tRNS as Pillow means it, which compares the transparent grey with levels that it has made 8 bits."""
    if header.colour in WITH_ALPHA and len(transparency) != 2 * CHANNELS[header.colour]:
        return b""
    if header.colour == GREY and 1 < header.depth < 8:
        most = (1 << header.depth) - 1
        return struct.pack(">H", (int.from_bytes(transparency, "big") & most) * 255 // most)
    return b"" if header.colour not in {GREY, RGB, PALETTE} else transparency


def _write(header: bytes, pixels: bytes, extras: dict[bytes, bytes]) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))

    middle = b"".join(chunk(kind, body) for kind, body in extras.items() if body)
    return SIGNATURE + chunk(b"IHDR", header) + middle + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _deep_levels(header: Header, packed: bytes, transparency: bytes) -> np.ndarray:
    """Return levels (height, width, channels) uint16 from two pictures of 8 bits: the high and the low bytes.

    Filters of PNG work on each byte of a pixel by itself, so that the bytes of one kind are filtered rows again. Pillow
    would drop the low bytes.
    """
    channels = CHANNELS[header.colour]
    shapes = _shapes_of_passes(header)
    rows = _inflate(packed, header)
    high, low = (_decode_half(header, _half_rows(rows, shapes, channels, half)) for half in (0, 1))
    levels = high.astype(np.uint16) << 8 | low
    if header.colour in WITH_ALPHA and len(transparency) == 2 * channels:
        key = np.frombuffer(transparency, ">u2")
        alpha = np.where((levels == key).all(axis=2), 0, 65_535).astype(np.uint16)
        levels = np.dstack([levels, alpha])
    return levels


def _shapes_of_passes(header: Header) -> list[tuple[int, int]]:
    if not header.interlaced:
        return [(header.width, header.height)]
    shapes = [(-(-(header.width - x) // dx), -(-(header.height - y) // dy)) for x, y, dx, dy in PASSES]
    return [(width, height) for width, height in shapes if width > 0 and height > 0]


def _inflate(packed: bytes, header: Header) -> np.ndarray:
    """Return the filtered rows of all passes (bytes,) uint8; never more than the header says."""
    bits = CHANNELS[header.colour] * header.depth
    size = sum(height * (1 + (width * bits + 7) // 8) for width, height in _shapes_of_passes(header))
    try:
        rows = zlib.decompressobj().decompress(packed, size)
    except zlib.error as error:
        raise Damaged(str(error)) from error
    if len(rows) < size:
        raise Damaged(f"{len(rows)} bytes of pixels, expected {size}")
    return np.frombuffer(rows, np.uint8)


def _half_rows(rows: np.ndarray, shapes: list[tuple[int, int]], channels: int, half: int) -> bytes:
    parts, start = [], 0
    for width, height in shapes:
        count = height * (1 + 2 * width * channels)
        part = rows[start : start + count].reshape(height, -1)
        parts.append(np.hstack([part[:, :1], part[:, 1 + half :: 2]]).tobytes())
        start += count
    return b"".join(parts)


def _decode_half(header: Header, rows: bytes) -> np.ndarray:
    fields = struct.pack(">IIBBBBB", header.width, header.height, 8, header.colour, 0, 0, header.interlaced)
    with Image.open(io.BytesIO(_write(fields, zlib.compress(rows, 0), {})), formats=["PNG"]) as image:
        return np.asarray(image).reshape(header.height, header.width, CHANNELS[header.colour])
