"""MPEG audio without a container: layers I to III (MP3) with what announces their length, and AAC in ADTS.

Sources: ISO/IEC 11172-3 and 13818-3 (headers), 13818-7 (ADTS); the Xing and VBRI headers are a custom of encoders.
"""

from __future__ import annotations

import re
from itertools import islice

from tasks.media import BadMedia
from tasks.media.frames import Announcement, Codec, Frame, Stretch, Walk, find_first, is_sure, walk
from tasks.media.parts import Part

TOLERANCE = 2  # frames that an announcement may count too many: encoders differ about their own and the last
LOST = 4_096  # bytes between frames that may be damage: two frames of the highest bit rate
MOST_LOST = 0.05  # of the bytes of all frames: a short file may lose less
RATES = ((11_025, 12_000, 8_000), (), (22_050, 24_000, 16_000), (44_100, 48_000, 32_000))  # of versions 2.5, -, 2 and 1
KBITS = {  # by version 1, layer
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
ADTS_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)
ANNOUNCEMENT = re.compile(rb"Xing|Info|VBRI")
MOST_MARKS = 4  # looked at in one frame
PLACES = {b"VBRI": (36,)}  # of an announcement in its frame, else behind the side information of each version
SIDES = (36, 21, 13, 38, 23, 15)  # the last three behind a checksum


def parse_mpeg(head: bytes) -> Frame | None:
    """Return the frame of a header: 11 bits of sync, version 2, layer 2, -, bit rate 4, rate 2, padding, -, mode 2."""
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    rate = RATES[version][head[2] >> 2 & 3]
    bits = 1_000 * KBITS[version == 3, layer][(head[2] >> 4) - 1]
    padding = head[2] >> 1 & 1
    if layer == 1:
        size, samples = (12 * bits // rate + padding) * 4, 384
    else:
        samples = 576 if layer == 3 and version != 3 else 1_152
        size = samples // 8 * bits // rate + padding
    return Frame(size, samples, rate, 1 if head[3] >> 6 == 3 else 2, rate << 2 | layer)


def parse_adts(head: bytes) -> Frame | None:
    """Return the frame of a header of seven bytes: length 13 bits from bit 30 on, blocks 2 bits at the end."""
    index, size = head[2] >> 2 & 15, (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    if index >= len(ADTS_RATES) or size <= 7:
        return None
    channels = (head[2] & 1) << 2 | head[3] >> 6
    rate = ADTS_RATES[index]
    return Frame(size, 1_024 * ((head[6] & 3) + 1), rate, channels, rate)


def _some_of(accept: range | list[int]) -> bytes:
    return b"[" + b"".join(re.escape(bytes([byte])) for byte in accept) + b"]"


_SECOND = [byte for byte in range(0xE0, 0x100) if byte >> 3 & 3 != 1 and byte >> 1 & 3]
_THIRD = [byte for byte in range(0x10, 0xF0) if byte >> 2 & 3 != 3]
MP3 = Codec("MP3", re.compile(b"\xff" + _some_of(_SECOND) + _some_of(_THIRD) + b".", re.DOTALL), 4, parse_mpeg)
AAC = Codec("AAC", re.compile(b"\xff[\xf0\xf1\xf8\xf9].....", re.DOTALL), 7, parse_adts)


def split_mp3(data: bytes) -> list[Part] | None:
    """Return the stretches of an MP3, None for something else. Raises BadMedia for what is cut off or damaged.

    The frames are decoded one after the other, without what stands between them. An announcement goes with them only if
    it is right: it takes away the padding of the encoder, but libsndfile would end where it says.
    """
    first = find_first(data, MP3)
    if first is None:
        return None
    found = walk(data, first, MP3, _find_announcement)
    for one in found.stretches:
        tolerance = 0 if found.cut and one is found.stretches[-1] else TOLERANCE
        if one.announced is not None and one.counted < one.announced - tolerance:
            raise BadMedia(f"truncated: {one.counted} of {one.announced} frames")
    if not all(one.announced is not None for one in found.stretches if one.counted):
        _check_damage(found, "MP3")
    return [_part(data, found.rate, one) for one in found.stretches if one.counted]


def split_aac(data: bytes) -> list[Part] | None:
    """Return AAC in ADTS as one part, None for something else. Raises BadMedia for what is cut off or damaged."""
    first = find_first(data, AAC)
    if first is None:
        return None
    found = walk(data, first, AAC)
    _check_damage(found, "AAC")
    return [Part(_join(data, one.spans), "aac", found.rate, one.samples) for one in found.stretches if one.counted]


def _part(data: bytes, rate: int, one: Stretch) -> Part:
    right = one.announced is not None and one.counted <= one.announced + TOLERANCE
    spans = [one.announcing, *one.spans] if right and one.announcing else one.spans
    # libsndfile estimates the length from the first frame where it is not said, and has one number of channels for all
    known = right and not (one.announcing and b"VBRI" in data[slice(*one.announcing)])  # which it does not know
    demuxer = "" if known and len(one.channels) == 1 else "mp3"
    return Part(_join(data, spans), demuxer, rate, one.samples)


def _join(data: bytes, spans: list[tuple[int, int]]) -> bytes:
    return b"".join(data[start:end] for start, end in spans)


def _find_announcement(data: bytes, start: int, end: int) -> Announcement | None:
    """Return the first announcing frame that begins from `start` up to `end`."""
    for match in islice(ANNOUNCEMENT.finditer(data, start, min(end + max(SIDES), len(data))), MOST_MARKS):
        for before in PLACES.get(match.group(), SIDES):
            place = match.start() - before
            if start <= place < end and (place == start or is_sure(data, place, MP3)):
                return Announcement(place, _read_number(data, match.start(), match.group()))
    return None


def _read_number(data: bytes, at: int, mark: bytes) -> int | None:
    if mark == b"VBRI":
        return int.from_bytes(data[at + 14 : at + 18], "big")
    says = len(data) >= at + 12 and data[at + 7] & 1
    return int.from_bytes(data[at + 8 : at + 12], "big") if says else None


def _check_damage(found: Walk, name: str) -> None:
    if found.cut:
        raise BadMedia("truncated: its last frame is not whole")
    if found.lost > min(LOST, MOST_LOST * found.size):
        raise BadMedia(f"damaged sound ({found.lost} bytes between its frames are no {name})")
