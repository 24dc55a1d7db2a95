"""Tags that stand before, between and behind the frames of sound files, and how long they are."""

from __future__ import annotations

APE = b"APETAGEX"
LYRICS = b"LYRICSBEGIN"
MOST_TAGS = 64  # behind each other: a file of nothing but tags would take minutes
SOME_ZEROS = 1 << 16


def skip_tags(data: bytes, place: int) -> int:
    """Return the first place from `place` on where no tag begins."""
    for _ in range(MOST_TAGS):
        size = tag_size(data, place)
        if not size:
            break
        place = min(place + size, len(data))
    return place


def tag_size(data: bytes, place: int) -> int:
    """Return the bytes of the tag that begins here, 0 without one.

    ID3v2 (https://id3.org/id3v2.4.0-structure: lengths have seven bits a byte), ID3v1, APE, Lyrics3.
    """
    head = data[place : place + 32]
    if head[:3] == b"ID3" and len(head) >= 10 and all(byte < 0x80 for byte in head[6:10]):
        size = 0
        for byte in head[6:10]:
            size = size << 7 | byte
        return 10 + size + (10 if head[5] & 0x10 else 0)  # a footer repeats the header
    if head.startswith(APE):
        is_header = bool(head[20:24]) and bool(int.from_bytes(head[20:24], "little") & 1 << 29)
        return 32 + (int.from_bytes(head[12:16], "little") if is_header else 0)
    if head.startswith(LYRICS):
        end = data.find(b"LYRICS200", place, place + (1 << 20))
        return end + 9 - place if end >= 0 else 0
    if head.startswith(b"TAG+"):
        return 227
    return 128 if head.startswith(b"TAG") else 0


def start_of_tag(data: bytes, place: int) -> int:
    """Return where the tag begins whose mark is at `place`: an APE tag may have its mark at its end only."""
    head = data[place : place + 32]
    if not head.startswith(APE) or len(head) < 32 or int.from_bytes(head[20:24], "little") & 1 << 29:
        return place
    return max(place + 32 - int.from_bytes(head[12:16], "little"), 0)


def skip_zeros(data: bytes, place: int) -> int:
    """Return the first place from `place` on that is not zero."""
    while place < len(data):
        block = data[place : place + SOME_ZEROS]
        rest = block.lstrip(b"\0")
        place += len(block) - len(rest)
        if rest:
            break
    return place
