"""Finds out by its first bytes what a sound file is, and checks that it is whole, without decoding.

libsndfile and FFmpeg silently accept a truncated WAV, RF64, Opus or MP4 file, end where the header of the first part of
an MP3 or Ogg says, and trust estimates of a length; so each format is walked here.
"""

from __future__ import annotations

from tasks.media import BadMedia
from tasks.media.flac import split_flac
from tasks.media.mp4 import is_mp4, split_mp4
from tasks.media.mpeg import split_aac, split_mp3
from tasks.media.ogg import split_ogg
from tasks.media.parts import Part
from tasks.media.tags import skip_tags
from tasks.media.wave import is_wave, mp3_in_wave, split_wave

EXPECTED = "expected WAV, MP3, FLAC, Ogg, MP4 or AAC"
NAMES = {  # first bytes of what is known and not read
    b".snd": "AU sound",
    b"caff": "CAF sound",
    b"riff\x2e\x91\xcf\x11": "W64 sound",
    b"NIST_1A": "NIST sound",
    b"Creative Voice File": "VOC sound",
    b"MAC ": "Monkey's Audio",
    b"wvpk": "WavPack sound",
    b"TTA1": "TTA sound",
    b"MPCK": "Musepack sound",
    b"MP+": "Musepack sound",
    b"DSD ": "DSF sound",
    b"tBaK": "TAK sound",
    b"OFR ": "OptimFROG sound",
    b"#!AMR": "AMR sound",
    b"\x0bw": "AC-3 sound",
    b"\x7f\xfe\x80\x01": "DTS sound",
    b"MThd": "a MIDI file",
    b".RMF": "RealMedia",
    b".ra\xfd": "RealAudio",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "WMA (ASF)",
    b"FLV\x01": "Flash video",
    b"\x00\x00\x01\xba": "MPEG video",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"%PDF": "a PDF file",
    b"PK\x03\x04": "a ZIP file",
}
FORMS = {b"AIFF": "AIFF sound", b"AIFC": "AIFF sound", b"8SVX": "8SVX sound"}
RIFFS = {b"AVI ": "AVI video", b"WEBP": "a WebP picture", b"RMID": "a MIDI file"}
MOST_PARTS = 1_000  # a decoder is opened for each
EBML, SYNC = b"\x1a\x45\xdf\xa3", b"\x47"


def split_sound(data: bytes) -> list[Part]:
    """Return the parts of a sound file, in order. Raises BadMedia for what is cut off, damaged or of another format."""
    parts = _split(data)
    if len(parts) > MOST_PARTS:
        raise BadMedia(f"{len(parts)} sounds in one file, more than {MOST_PARTS}")
    return parts


def _split(data: bytes) -> list[Part]:
    start = skip_tags(data, 0)
    body = data[start:] if start else data
    if is_wave(body):
        return (split_mp3(payload) or []) if (payload := mp3_in_wave(body)) else split_wave(body)
    if body[:4] == b"OggS":
        return split_ogg(body)
    if body[:4] == b"fLaC":
        return split_flac(body)
    if is_mp4(body):
        return split_mp4(body)
    if name := name_format(body):
        raise BadMedia(f"{name}, {EXPECTED}")
    for split in (split_mp3, split_aac):
        parts = split(data)
        if parts is not None:
            return parts
    raise BadMedia("not sound of a known format")


def name_format(data: bytes) -> str:
    """Return what a file is that is no sound which is read; empty for something unknown."""
    if data[:4] == EBML:
        return "WebM video or sound" if b"webm" in data[:64] else "Matroska video or sound"
    if data[:4] == b"FORM":
        return FORMS.get(data[8:12], "")
    if data[:4] in {b"RIFF", b"RIFX"}:
        return RIFFS.get(data[8:12], "a RIFF file")
    if len(data) > 564 and all(data[place : place + 1] == SYNC for place in (0, 188, 376, 564)):
        return "MPEG transport stream"
    return next((name for first, name in NAMES.items() if data.startswith(first)), "")
