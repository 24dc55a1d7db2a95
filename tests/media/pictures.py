"""Pictures made by code, chunk by chunk and tag by tag, where Pillow writes no such files."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CODES = {1: "B", 2: "c", 3: "H", 4: "I", 5: "I"}
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}  # channels -> colour type of PNG


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    levels: np.ndarray,
    *,
    extras: Sequence[bytes] = (),
    late: Sequence[bytes] = (),
    depth: int = 0,
    interlaced: bool = False,
) -> bytes:
    """A PNG of levels (height, width, channels) uint8 or uint16, with whole chunks `extras` before its pixels.

    Rows have the filters 0 to 4 in turn. `depth` packs levels of one channel into 1, 2 or 4 bits.
    """
    height, width, channels = levels.shape
    depth = depth or levels.dtype.itemsize * 8
    passes = [levels[y::dy, x::dx] for x, y, dx, dy in ADAM7] if interlaced else [levels]
    packed = zlib.compress(b"".join(lines(part, depth) for part in passes if part.size))
    header = struct.pack(">IIBBBBB", width, height, depth, COLOURS[channels], 0, 0, interlaced)
    middle = [chunk(b"IDAT", packed[:7]), chunk(b"IDAT", packed[7:])]
    return b"".join([SIGNATURE, chunk(b"IHDR", header), *extras, *middle, *late, chunk(b"IEND", b"")])


def lines(levels: np.ndarray, depth: int) -> bytes:
    """The filtered rows of a picture, or of one pass of it."""
    height, _, channels = levels.shape
    if depth < 8:
        bits = np.unpackbits(levels.astype(np.uint8)[..., None], axis=3)[..., -depth:].reshape(height, -1)
        rows = np.packbits(bits, axis=1)
    else:
        rows = np.ascontiguousarray(levels.astype(f">u{depth // 8}")).reshape(height, -1).view(np.uint8)
    step = max(channels * depth // 8, 1)
    return b"".join(bytes([row % 5]) + filtered(rows, row, step) for row in range(height))


def filtered(rows: np.ndarray, row: int, step: int) -> bytes:
    """A row (n,) of bytes after filter `row` % 5 of PNG: none, sub, up, average, Paeth."""
    here = rows[row].astype(int)
    above = rows[row - 1].astype(int) if row else np.zeros_like(here)
    left, corner = (np.concatenate([np.zeros(step, int), line[:-step]]) for line in (here, above))
    guess = left + above - corner
    far = np.abs([guess - left, guess - above, guess - corner])
    paeth = np.where((far[0] <= far[1]) & (far[0] <= far[2]), left, np.where(far[1] <= far[2], above, corner))
    took = [np.zeros_like(here), left, above, (left + above) // 2, paeth][row % 5]
    return ((here - took) % 256).astype(np.uint8).tobytes()


def exif(orientation: int | None, *others: tuple[int, int, int, bytes], order: str = "<") -> bytes:
    """An EXIF block with the orientation and other entries: tag, type, count and four bytes."""
    entries = [(0x0112, 3, 1, struct.pack(f"{order}HH", orientation, 0))] if orientation is not None else []
    entries = sorted([*others, *entries])
    body = b"".join(struct.pack(f"{order}HHI", *entry[:3]) + entry[3] for entry in entries)
    start = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    return start + struct.pack(f"{order}H", len(entries)) + body + bytes(4)


def tiff(
    levels: np.ndarray,
    kind: int,
    *,
    order: str = "<",
    bits: int = 0,
    deflated: bool = False,
    predictor: int = 1,
    planes: bool = False,
    tile: int = 0,
    tags: Mapping[int, tuple[int, Sequence[int]]] | None = None,
) -> bytes:
    """A TIFF of levels (height, width, channels) with photometric interpretation `kind`.

    In strips of two rows, or in square tiles; `tags`: tag -> type and values, beside those that it needs.
    """
    height, width, channels = levels.shape
    bits = bits or levels.dtype.itemsize * 8
    parts = [levels[..., [plane]] for plane in range(channels)] if planes else [levels]
    stored = [pack(block, bits, order, predictor, deflated=deflated) for part in parts for block in blocks(part, tile)]
    sizes = [len(block) for block in stored]
    starts = (8 + np.cumsum([0, *sizes[:-1]])).tolist()
    entries: dict[int, tuple[int, Sequence[int]]] = {
        256: (3, [width]),
        257: (3, [height]),
        258: (3, [bits] * channels),
        259: (3, [8 if deflated else 1]),
        262: (3, [kind]),
        277: (3, [channels]),
        284: (3, [2 if planes else 1]),
        317: (3, [predictor]),
    }
    where = {322: (3, [tile]), 323: (3, [tile]), 324: (4, starts), 325: (4, sizes)}
    entries |= where if tile else {273: (4, starts), 278: (3, [2]), 279: (4, sizes)}
    return directory(b"".join(stored), order, {**entries, **(tags or {})})


def directory(pixels: bytes, order: str, entries: Mapping[int, tuple[int, Sequence[int]]]) -> bytes:
    """A TIFF of these bytes and entries: tag -> type and values."""
    pixels += b"\0" * (len(pixels) % 2)
    start = 8 + len(pixels)
    behind, fields, tail = start + 6 + 12 * len(entries), b"", b""
    for tag, (kind, values) in sorted(entries.items()):
        body = struct.pack(f"{order}{len(values)}{CODES[kind]}", *values)
        count = len(values) // (2 if kind == 5 else 1)
        place = body.ljust(4, b"\0") if len(body) <= 4 else struct.pack(f"{order}I", behind + len(tail))
        tail += body + b"\0" * (len(body) % 2) if len(body) > 4 else b""
        fields += struct.pack(f"{order}HHI", tag, kind, count) + place
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, start)
    return head + pixels + struct.pack(f"{order}H", len(entries)) + fields + bytes(4) + tail


def blocks(levels: np.ndarray, tile: int) -> list[np.ndarray]:
    """Strips of two rows, or square tiles filled up with zeros."""
    if not tile:
        return [levels[row : row + 2] for row in range(0, len(levels), 2)]
    height, width, channels = levels.shape
    full = np.zeros((-(-height // tile) * tile, -(-width // tile) * tile, channels), levels.dtype)
    full[:height, :width] = levels
    rows, columns = range(0, len(full), tile), range(0, full.shape[1], tile)
    return [full[row : row + tile, column : column + tile] for row in rows for column in columns]


def pack(levels: np.ndarray, bits: int, order: str, predictor: int, *, deflated: bool) -> bytes:
    """The bytes of a strip or tile."""
    if predictor == 2:
        levels = np.concatenate([levels[:, :1], levels[:, 1:] - levels[:, :-1]], axis=1)
    if bits < 8:
        rows = np.unpackbits(levels.astype(np.uint8)[..., None], axis=3)[..., -bits:].reshape(len(levels), -1)
        body = np.packbits(rows, axis=1).tobytes()
    else:
        body = levels.astype(f"{order}u{bits // 8}").tobytes()
    return zlib.compress(body) if deflated else body
