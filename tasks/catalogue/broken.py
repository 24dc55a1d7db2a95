"""Broken media files, of the kinds that occur in real uploads, to show how a run handles them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path


def _truncate(data: bytes) -> bytes:
    return data[: len(data) // 3]


def _empty(data: bytes) -> bytes:
    return data[:0]


def _web_page(data: bytes) -> bytes:
    return b"<!DOCTYPE html><title>404 Not Found</title><h1>Not Found</h1>\n" + b" " * (len(data) % 7)


def _bomb(data: bytes) -> bytes:
    """Return a PNG that declares 60,000 x 60,000 pixels but contains none."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(data[:16])) + chunk(b"IEND", b"")


def _not_utf8(data: bytes) -> bytes:
    return b"\xff\xfe\x00" + data[:40] + b"\xc3\x28\x81"


def _blank(data: bytes) -> bytes:
    return b" \n\t " * (1 + len(data) % 3)


# (modality, how its file is broken), in the order of use
KINDS: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
    ("image", _truncate),
    ("audio", _empty),
    ("text", _not_utf8),
    ("audio", _web_page),
    ("image", _bomb),
    ("text", _blank),
    ("image", _web_page),
)


def spoil(files: list[dict[str, Path]], count: int) -> list[Path]:
    """Break one file of each of `count` items, spread evenly over `files` (modality -> path, per item).

    The kinds take turns: a truncated image, an empty audio file, bytes that are not UTF-8, a web page saved as audio,
    an image that declares 3.6 gigapixels, a blank text, a web page saved as image. Returns the broken files' paths.
    """
    broken = []
    for turn in range(count):
        modality, spoiler = KINDS[turn % len(KINDS)]
        path = files[turn * len(files) // count][modality]
        path.write_bytes(spoiler(path.read_bytes()))
        broken.append(path)
    return broken
