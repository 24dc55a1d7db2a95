"""Decodes text files to Unicode."""

from __future__ import annotations

import json
import re
import unicodedata

from tasks.data.kinds import PACKED, kind_of
from tasks.media import BadMedia, check_size
from tasks.media.remarks import remark_on_text

CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")  # bytes that no text of one byte a character has
WINDOWS = re.compile(rb"[\x80-\x9f]")  # letters and quotation marks in Windows-1252, nothing in Latin-1


def decode_text(data: bytes) -> str:
    """Return the text of a UTF-8 file, composed (NFC), without byte order mark and surrounding blanks.

    Raises BadMedia with the reason. An empty text is refused because all empty files would get the same valid
    embedding; so is a text without visible characters (only zero-width characters), and a file that is something else,
    such as a web page.
    """
    check_size(data, "text")
    kind = kind_of(data, maybe_text=True)
    if kind.startswith("UTF-"):
        raise BadMedia(f"{kind}, not UTF-8")
    if kind and (kind != "JSON" or _is_object(data)):
        raise BadMedia(f"{kind}, not a text{': unpack it' if kind in PACKED else ''}")
    try:
        text = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise BadMedia(f"not UTF-8 text (byte {data[error.start]:#04x} at {error.start}){_guess(data)}") from error
    if "\0" in text:
        raise BadMedia("a NUL character in the text")
    if not any(character.isprintable() and not character.isspace() for character in text):
        raise BadMedia("empty text")
    text = unicodedata.normalize("NFC", text)
    remark_on_text(text)
    return text


def _is_object(data: bytes) -> bool:
    """Whether a file is what a program answers; a text in brackets is none."""
    try:
        return isinstance(json.loads(data), dict)
    except (ValueError, RecursionError):
        return False


def _guess(data: bytes) -> str:
    if CONTROL.search(data):
        return ""
    return f", perhaps {'Windows-1252' if WINDOWS.search(data) else 'Latin-1'}: save it as UTF-8"
