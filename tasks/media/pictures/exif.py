"""The orientation in an EXIF block, and nothing else of it (Exif 2.32, 4.6.4; TIFF 6.0, section 2)."""

from __future__ import annotations

ORIENTATION = 0x0112
WIDTHS = {1: 1, 3: 2, 4: 4}  # type of an entry -> bytes of a value: BYTE, SHORT, LONG
UPRIGHT = 1


def orientation_of(block: bytes) -> int:
    """Return 1 to 8; 1 (upright) where the block has no valid orientation, whatever else is wrong with it."""
    body = block.removeprefix(b"Exif\0\0")
    if body[:2] not in {b"II", b"MM"}:
        return UPRIGHT

    def number(place: int, width: int) -> int:
        return int.from_bytes(body[place : place + width], "little" if body[:1] == b"I" else "big")

    start = number(4, 4) + 2
    entries = min(number(start - 2, 2), max(len(body) - start, 0) // 12)  # as many as there are of a block that was cut
    for place in range(start, start + 12 * entries, 12):
        if number(place, 2) == ORIENTATION:
            width = WIDTHS.get(number(place + 2, 2), 0)
            value = number(place + 8, width) if width and number(place + 4, 4) == 1 else UPRIGHT
            return value if 1 <= value <= 8 else UPRIGHT
    return UPRIGHT
