"""Text as Unicode."""

from __future__ import annotations

from tasks.encoders.decode import BadMedia

LARGEST = 1 << 20  # bytes: a long novel


def decode_text(data: bytes) -> str:
    """The text of a UTF-8 file, a byte order mark and blanks around it removed. BadMedia when there is none.

    An empty text would get a valid vector, the same for every empty file, so it is refused.
    """
    if len(data) > LARGEST:
        raise BadMedia(f"{len(data)} bytes of text, more than {LARGEST}")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise BadMedia("UTF-16 text, not UTF-8")
    try:
        text = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise BadMedia(f"not UTF-8 text (byte {data[error.start]:#04x} at {error.start})") from error
    if not text:
        raise BadMedia("empty text")
    if "\0" in text:
        raise BadMedia("a NUL character in the text")
    return text
