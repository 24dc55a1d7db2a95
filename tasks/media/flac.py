"""FLAC: parts of a file that several were joined to, and the sample that the last frame ends with.

STREAMINFO may say too little (of the first part only, or nothing: a program that streams does not know) and a file may
be cut off behind any frame, so the last frame is looked for from the end. Source: RFC 9639.
"""

from __future__ import annotations

import re
from functools import cache

from tasks.media import BadMedia
from tasks.media.parts import Part
from tasks.media.tags import tag_size

MAGIC = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")  # with the head of STREAMINFO, which is always the first block
SLACK = 1_024  # bytes by which a frame may be larger than its samples
BLOCKS = {1: 192, 2: 576, 3: 1_152, 4: 2_304, 5: 4_608} | {code: 256 << code - 8 for code in range(8, 16)}
SYNC = re.compile(rb"\xff[\xf8\xf9]")


def split_flac(data: bytes) -> list[Part]:
    """Return each FLAC stream of the file as a part. Raises BadMedia if one of them is cut off."""
    starts = [match.start() for match in MAGIC.finditer(data)]
    if not starts or starts[0]:
        raise BadMedia("damaged sound (FLAC without its first block)")
    return [_part(data[start:end]) for start, end in zip(starts, [*starts[1:], len(data)], strict=True)]


def _part(data: bytes) -> Part:
    """Bytes 8 to 42 are STREAMINFO: at 2 the block size, at 10 rate (20 bits), channels, depth, samples (36), MD5."""
    if len(data) < 42:
        raise BadMedia("truncated: its first block is not whole")
    rate = int.from_bytes(data[18:21], "big") >> 4
    declared = int.from_bytes(data[21:26], "big") & (1 << 36) - 1
    found = _count_samples(data)
    if declared and found is not None and found > declared:
        declared = 0
    if not declared and found is None:
        raise BadMedia("truncated: its last frame is not whole")
    if not declared:
        return Part(data, "flac", rate, found or 0)
    return Part(data, "", rate, declared, _depth(data), data[26:42].strip(b"\0") and data[26:42])


def _depth(data: bytes) -> int:
    """Return the bits of a sample: five of them, less one, behind rate (20) and channels (3)."""
    return ((data[20] & 1) << 4 | data[21] >> 4) + 1


def _count_samples(data: bytes) -> int | None:
    """Return the number of samples up to the end of the last frame; None if no whole frame ends with the data."""
    end = len(data)
    for place in (end - 128, end - 128 - 227):  # an ID3v1 tag, and a longer one before it
        if place > 42 and tag_size(data, place):
            end = place
    size = int.from_bytes(data[10:12], "big")  # of the blocks, where all but the last have one size
    channels = (data[20] >> 1 & 7) + 1
    largest = size * channels * ((_depth(data) + 7) // 8) + SLACK
    tail = data[max(end - largest, 42) : end].rstrip(b"\0") + b"\0\0"  # zeros behind a checksum do not change it
    for match in reversed(list(SYNC.finditer(tail))):
        found = _end_of_frame(tail[match.start() :], size)
        if found is not None:
            return found
    return None


def _end_of_frame(frame: bytes, block: int) -> int | None:
    """Return the number of the sample behind a frame; None if the bytes are not one whole frame.

    Behind sync, strategy (1 bit), block size (4), rate (4), channels (4) and depth (3) come a number of one to seven
    bytes as in UTF-8 (of the frame, or of its first sample), sizes that the codes did not tell, and a checksum.
    """
    if len(frame) < 8 or frame[2] >> 4 == 0 or frame[2] & 15 == 15:
        return None
    number, place = _read_number(frame, 4)
    code = frame[2] >> 4
    if number is None:
        return None
    if code in {6, 7}:
        width = code - 5
        size = int.from_bytes(frame[place : place + width], "big") + 1
        place += width
    else:
        size = BLOCKS[code]
    place += {12: 1, 13: 2, 14: 2}.get(frame[2] & 15, 0)
    if place >= len(frame) or _crc(frame[: place + 1], 8, 0x07) or _crc(frame, 16, 0x8005):
        return None
    return number + size if frame[1] & 1 else number * block + size


def _read_number(data: bytes, place: int) -> tuple[int | None, int]:
    first = data[place]
    more = 0 if first < 0x80 else 8 - (first ^ 0xFF).bit_length()  # leading ones
    if more == 1 or more > 7 or len(data) < place + max(more, 1):
        return None, place
    number = first if not more else first & (0x7F >> more)
    for byte in data[place + 1 : place + more]:
        number = number << 6 | byte & 0x3F
    return number, place + max(more, 1)


def _crc(data: bytes, width: int, polynomial: int) -> int:
    """Return the checksum of bytes that end with it: 0 if they are whole."""
    table, value, mask = _table(width, polynomial), 0, (1 << width) - 1
    for byte in data:
        value = (value << 8 & mask) ^ table[value >> width - 8 ^ byte]
    return value


@cache
def _table(width: int, polynomial: int) -> list[int]:
    top, mask = 1 << width - 1, (1 << width) - 1
    table = []
    for byte in range(256):
        value = byte << width - 8
        for _ in range(8):
            value = (value << 1 ^ (polynomial if value & top else 0)) & mask
        table.append(value)
    return table
