"""Reads what audio containers declare about their length, without decoding.

libsndfile silently accepts a truncated WAV, RF64 or Opus file and trusts estimates of an MP3's length, so both are
checked here.
"""

from __future__ import annotations

import struct

from tasks.media import BadMedia

UNKNOWN = 0xFFFFFFFF  # size unknown to a streaming writer; in RF64: see the chunk `ds64`
LAST_PAGE = 4  # flag of the last page of an Ogg stream
MP3_HEADERS = (b"Xing", b"Info", b"VBRI")
FIRST_FRAME = 256  # bytes in which such a header must start


def check_whole(data: bytes) -> None:
    """Raise BadMedia for a WAV, RF64 or Ogg file that declares more bytes than it has."""
    if data[:4] in {b"RIFF", b"RIFX", b"RF64"} and data[8:12] == b"WAVE":
        _check_wave(data)
    elif data[:4] == b"OggS":
        _check_ogg(data)


def declares_length(data: bytes) -> bool:
    """Whether the file declares its number of samples. For an MP3 without a Xing header it is only an estimate."""
    if data[:4] in {b"RIFF", b"RIFX", b"RF64", b"OggS"}:  # checked by check_whole
        return False
    if data[:4] == b"fLaC":  # STREAMINFO comes first: 36 bits of samples after 20 of rate, 3 of channels and 5 of depth
        return len(data) >= 26 and bool(int.from_bytes(data[21:26], "big") & (1 << 36) - 1)
    start = _after_id3(data)
    return any(header in data[start : start + FIRST_FRAME] for header in MP3_HEADERS)


def ffmpeg_format(data: bytes) -> str | None:
    """Return FFmpeg's name of the container if FFmpeg shall read it: MP4, bare AAC, MP3, streamed FLAC."""
    if data[4:8] == b"ftyp":
        return "mp4"
    if data[:4] == b"fLaC" and not declares_length(data):
        return "flac"  # libsndfile needs a declared length
    start = _after_id3(data)
    head = int.from_bytes(data[start : start + 2], "big")
    if head & 0xFFF6 == 0xFFF0:  # twelve bits of sync, layer 0
        return "aac"
    if head & 0xFFE0 == 0xFFE0 and head & 0x6:
        return "mp3"
    return None


def _after_id3(data: bytes) -> int:
    """Return the start of the audio after an ID3v2 tag, whose length has seven bits per byte."""
    if data[:3] != b"ID3" or len(data) < 10:
        return 0
    size = 0
    for byte in data[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size


def _check_wave(data: bytes) -> None:
    order = ">" if data[:4] == b"RIFX" else "<"
    place, large = 12, UNKNOWN
    while place + 8 <= len(data):
        name, size = data[place : place + 4], struct.unpack_from(f"{order}I", data, place + 4)[0]
        if name == b"ds64" and place + 24 <= len(data):
            large = struct.unpack_from("<Q", data, place + 16)[0]
        if name == b"data":
            promised = large if size == UNKNOWN else size
            if promised != UNKNOWN and place + 8 + promised > len(data):
                raise BadMedia(f"truncated: {len(data) - place - 8} of {promised} bytes of sound")
            return
        place += 8 + size + size % 2
    raise BadMedia("truncated: no sound in the WAV file")


def _check_ogg(data: bytes) -> None:
    """Check that all pages are complete: 27 bytes (byte 5 flags, byte 26 number of segments), lengths, segments."""
    place, last = 0, False
    while data[place : place + 4] == b"OggS":
        table = place + 27
        if table > len(data) or table + data[place + 26] > len(data):
            raise BadMedia("truncated: its last page is not whole")
        last = bool(data[place + 5] & LAST_PAGE)
        place = table + data[place + 26] + sum(data[table : table + data[place + 26]])
    if place > len(data):
        raise BadMedia("truncated: its last page is not whole")
    if not last:
        raise BadMedia("truncated: its last page is missing")
