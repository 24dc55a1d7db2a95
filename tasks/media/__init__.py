"""Decodes untrusted media files to pixels, samples or text: within limits, completely, or refused with a reason.

The content decides a file's format; its suffix only says to which modality it may belong.
"""

from __future__ import annotations

import re

from tasks.errors import one_line

EXTENSIONS: dict[str, frozenset[str]] = {
    "image": frozenset({"jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "avif"}),
    "audio": frozenset({"wav", "mp3", "flac", "ogg", "oga", "opus", "m4a", "aac"}),
    "text": frozenset({"txt"}),
}
LARGEST: dict[str, int] = {"image": 64 << 20, "audio": 256 << 20, "text": 1 << 20}  # bytes of a file
LARGEST_FILE = max(LARGEST.values())
ADDRESS = re.compile(r"<[^<>]*\bat 0x[0-9a-fA-F]+[^<>]*>|\b0x[0-9a-fA-F]{6,}\b")  # of objects: another each time


class BadMedia(ValueError):
    """A file that cannot be used; the message is the reason in a few words."""


def too_large(size: int, modality: str) -> str:
    """Return the reason why a file of `size` bytes is refused; empty if it is accepted."""
    return f"{size} bytes, {modality} may have {LARGEST[modality]}" if size > LARGEST[modality] else ""


def check_size(data: bytes, modality: str) -> None:
    """Raise BadMedia for a file that is empty or larger than the limit of its modality."""
    if not data:
        raise BadMedia("empty file")
    if reason := too_large(len(data), modality):
        raise BadMedia(reason)


def in_short(error: BaseException) -> str:
    """Return a decoder's message on one line, at most 100 characters: the same words each time for the same file."""
    text = getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)
    return one_line(ADDRESS.sub("", text), 100) or type(error).__name__
