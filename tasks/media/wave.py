"""WAV, RF64 and RIFX: finds the sound among chunks whose sizes are not to be trusted, and gives it a header that is.

A size is wrong because the program did not know it (pipes, recorders that were switched off, streams), or because the
file is cut off. The first is read to the end of the file, the second is refused. Sources: EBU Tech 3306 (RF64),
Microsoft's RIFF; sox, ffmpeg, arecord, lame and gstreamer write the sizes of UNKNOWN.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from tasks.media import BadMedia
from tasks.media.parts import Part, check_amount
from tasks.media.tags import skip_tags

IDS = {b"RIFF": "<", b"RIFX": ">", b"RF64": "<", b"BW64": "<"}
UNKNOWN = (range(0x7FFF_0000, 0x8001_0000), range(0xFFFF_0000, 0x1_0000_0000))  # 2 or 4 GiB, less or more some header
IN_DS64 = 0xFFFF_FFFF
HEADER = 64  # bytes: so many may be missing, because some programs count the header into the sound
MOST_CHUNKS = 10_000
STRAY = 4_096  # bytes behind the sound that are no chunk: more than that may be sound that nobody counted
PCM, FLOAT, EXTENSIBLE, MP3 = 1, 3, 0xFFFE, 0x55
CODECS = {
    0x50: "MPEG",
    MP3: "MP3",
    0xFF: "AAC",
    0x160: "WMA",
    0x161: "WMA",
    0x162: "WMA",
    0x2000: "AC-3",
    0xF1AC: "FLAC",
}
NEVER = 1 << 62  # bytes: RF64 of a stream


class Chunk(NamedTuple):
    """A chunk: its name, where its content begins, its size as declared, and as it is in the file."""

    name: bytes
    start: int
    declared: int
    size: int


def is_wave(data: bytes) -> bool:
    """Whether the file claims to be WAV."""
    return data[:4] in IDS and data[8:12] == b"WAVE"


def split_wave(data: bytes) -> list[Part]:
    """Return the sound of all chunks `data` as one part. Raises BadMedia if some of it is missing."""
    order = IDS[data[:4]]
    chunks = list(_chunks(data, order))
    formats = {data[chunk.start : chunk.start + chunk.size] for chunk in chunks if chunk.name == b"fmt "}
    sounds = [chunk for chunk in chunks if chunk.name == b"data"]
    if not sounds:
        reason = "its sound is in pieces (wavl)" if _has_pieces(data, chunks) else "truncated: no sound in the WAV file"
        raise BadMedia(reason)
    if len(formats) != 1:
        raise BadMedia(f"{len(formats)} formats in one WAV file, expected one")
    form = formats.pop()
    if len(form) < 16:
        raise BadMedia("damaged sound (its WAV format is not whole)")
    for chunk in sounds:
        if chunk.declared - chunk.size > HEADER:
            raise BadMedia(f"truncated: {chunk.size} of {chunk.declared} bytes of sound")
    if not any(chunk.size for chunk in sounds):
        raise BadMedia("no sound in the file")
    fact = next((data[c.start : c.start + c.size] for c in chunks if c.name == b"fact" and c.size >= 4), b"")
    return [_one_part(data, order, form, fact, sounds)]


def mp3_in_wave(data: bytes) -> bytes | None:
    """Return the MP3 that some programs put into a WAV file, None for any other format."""
    chunks = list(_chunks(data, IDS[data[:4]]))
    form = next((c for c in chunks if c.name == b"fmt " and c.size >= 2), None)
    if form is None or struct.unpack_from(f"{IDS[data[:4]]}H", data, form.start)[0] != MP3:
        return None
    return b"".join(data[chunk.start : chunk.start + chunk.size] for chunk in chunks if chunk.name == b"data")


def _one_part(data: bytes, order: str, form: bytes, fact: bytes, sounds: list[Chunk]) -> Part:
    tag, channels, rate, _, align, bits = struct.unpack_from(f"{order}HHIIHH", form)
    if tag in CODECS:
        raise BadMedia(f"{CODECS[tag]} in WAV, expected PCM")
    if tag == EXTENSIBLE and len(form) >= 26:
        tag = struct.unpack_from(f"{order}H", form, 24)[0]
    even = tag in {PCM, FLOAT} and align == channels * ((bits + 7) // 8) and align > 0
    whole = sum(chunk.size for chunk in sounds)
    samples = whole // align if even else 0
    if even:
        check_amount(rate, samples)  # before the sound is copied
    bodies = [(b"fmt ", form + b"\0" * (len(form) % 2))] + ([(b"fact", fact[:4])] if fact and not even else [])
    heads = [name + struct.pack(f"{order}I", len(body)) + body for name, body in bodies]
    heads.append(b"data" + struct.pack(f"{order}I", whole))
    size = 4 + sum(map(len, heads)) + whole
    view = memoryview(data)  # a slice is no copy
    sound = [view[chunk.start : chunk.start + chunk.size] for chunk in sounds]
    riff = (b"RIFX" if order == ">" else b"RIFF") + struct.pack(f"{order}I", size) + b"WAVE"
    return Part(b"".join([riff, *heads, *sound]), rate=rate if even else 0, samples=samples)


def _chunks(data: bytes, order: str) -> Iterator[Chunk]:
    """Yield the chunks, also of further WAV files behind the first."""
    place, large = 12, 0
    for _ in range(MOST_CHUNKS):
        if place + 8 > len(data):
            return
        name, declared = data[place : place + 4], struct.unpack_from(f"{order}I", data, place + 4)[0]
        start, left = place + 8, len(data) - place - 8
        if name in IDS and data[start : start + 4] == b"WAVE":
            place = start + 4
            continue
        if name == b"ds64" and left >= 16:
            large = struct.unpack_from("<Q", data, start + 8)[0]
        elif name == b"data":
            declared = _size_of_sound(data, order, start, large if declared == IN_DS64 and large else declared)
        yield Chunk(name, start, declared, min(declared, left))
        place = _behind(data, start + declared, order)
        if name == b"data" and place < len(data):
            _check_stray(data, place, order)
    raise BadMedia(f"damaged sound (more than {MOST_CHUNKS} chunks)")


def _size_of_sound(data: bytes, order: str, start: int, declared: int) -> int:
    """Return the size that is meant: up to the end of the file where a program did not know it."""
    left = len(data) - start
    if any(declared in sizes for sizes in UNKNOWN) or declared >= NEVER:
        return left
    if declared == 0 and not _is_chunk(data, start, order) and not _is_tail(data, start):
        return left
    return declared


def _behind(data: bytes, place: int, order: str) -> int:
    """Return where the next chunk begins: at an even place, but some programs forget to pad."""
    if place % 2 == 0 or (_is_chunk(data, place, order) and not _is_chunk(data, place + 1, order)):
        return place
    return place + 1


def _is_chunk(data: bytes, place: int, order: str) -> bool:
    """Whether a chunk begins here: four letters, and a size within the file."""
    name = data[place : place + 4]
    if len(data) < place + 8 or not all(0x20 <= byte < 0x7F for byte in name) or not name.strip().isalnum():
        return False
    return name in IDS or place + 8 + struct.unpack_from(f"{order}I", data, place + 4)[0] <= len(data) + 1


def _is_tail(data: bytes, place: int) -> bool:
    """Whether nothing but tags and zeros follow."""
    return not data[skip_tags(data, place) :].strip(b"\0")


def _check_stray(data: bytes, place: int, order: str) -> None:
    """Raise BadMedia if much follows that is neither a chunk nor a tag: the sound is longer than its size says."""
    stray = len(data) - place
    if stray > STRAY and not _is_chunk(data, place, order) and not _is_tail(data, place):
        raise BadMedia(f"damaged sound ({stray} bytes behind the sound are no chunk)")


def _has_pieces(data: bytes, chunks: list[Chunk]) -> bool:
    return any(chunk.name == b"LIST" and data[chunk.start : chunk.start + 4] == b"wavl" for chunk in chunks)
