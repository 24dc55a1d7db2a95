"""Decodes text files to Unicode."""

from __future__ import annotations

from tasks.media import BadMedia, check_size
from tasks.media.remarks import remark_on_text

UTF_16 = (b"\xff\xfe", b"\xfe\xff")  # byte order marks


def decode_text(data: bytes) -> str:
    """Return the text of a UTF-8 file without byte order mark and surrounding blanks. Raises BadMedia if it is empty.

    An empty text is refused because all empty files would get the same valid embedding; so is a text without visible
    characters (only zero-width characters).
    """
    check_size(data, "text")
    if data.startswith(UTF_16):
        raise BadMedia("UTF-16 text, not UTF-8")
    try:
        text = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise BadMedia(f"not UTF-8 text (byte {data[error.start]:#04x} at {error.start})") from error
    if "\0" in text:
        raise BadMedia("a NUL character in the text")
    if not any(character.isprintable() and not character.isspace() for character in text):
        raise BadMedia("empty text")
    remark_on_text(text)
    return text
