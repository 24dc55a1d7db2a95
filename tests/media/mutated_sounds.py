"""The kinds of sound files that `mutations` damages, and a second decoder that says when half of one was lost."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache

import av
import numpy as np

from tasks.media.audio import decode_audio
from tasks.media.ogg import page_checksum
from tests.encoders.media import ffmpeg_sound, flac_of_unknown_length, id3, sound, wav_of_unknown_length
from tests.media.mutations import Kind
from tests.media.sounds import mp3, noise, ogg_flac, with_serial

RATE = 16_000  # at which all are decoded: the resampler is not what is tested
VARIANTS = 4
LOST = 0.25  # seconds that FFmpeg may find more: padding, and damaged frames that it replaces

PCM = ("PCM_16", "PCM_24", "FLOAT", "PCM_U8")
CODED = ("IMA_ADPCM", "MS_ADPCM", "ULAW", "GSM610")
RATES = (44_100, 48_000, 22_050, 8_000)


def vorbis(samples: np.ndarray, seed: int) -> bytes:
    """Vorbis whose serial number does not depend on the clock."""
    return with_serial(sound(samples, form="OGG", subtype="VORBIS"), seed)


def opus(samples: np.ndarray, seed: int) -> bytes:
    """Opus whose serial number does not depend on the clock."""
    return with_serial(sound(samples, 48_000, form="OGG", subtype="OPUS"), seed)


def joined(seconds: float, seed: int) -> bytes:
    """Two MP3 in one file."""
    return mp3(seconds / 2) + id3(50) * (seed % 2) + mp3(seconds / 2, announced=seed < 2)


def m4a(samples: np.ndarray, seed: int) -> bytes:
    """MP4 with its index in the end or in the beginning."""
    options = {"movflags": "faststart"} if seed % 2 else {}
    return ffmpeg_sound(samples, "mp4", **options)


MAKERS: dict[str, Callable[[float, int], bytes]] = {
    "wav": lambda seconds, seed: sound(noise(seconds), subtype=PCM[seed]),
    "wav-coded": lambda seconds, seed: sound(noise(seconds), subtype=CODED[seed]),
    "wav-stream": lambda seconds, seed: wav_of_unknown_length(sound(noise(seconds, seed=seed))),
    "rf64": lambda seconds, seed: sound(noise(seconds, seed=seed), form="RF64"),
    "mp3": lambda seconds, seed: mp3(seconds, channels=1 + seed % 2),
    "mp3-bare": lambda seconds, seed: id3(100 * seed) + mp3(seconds, RATES[seed], announced=False),
    "mp3-joined": joined,
    "flac": lambda seconds, seed: sound(noise(seconds, channels=1 + seed % 2), form="FLAC"),
    "flac-stream": lambda seconds, seed: flac_of_unknown_length(sound(noise(seconds, seed=seed), form="FLAC")),
    "vorbis": lambda seconds, seed: vorbis(noise(seconds), seed),
    "opus": lambda seconds, seed: opus(noise(seconds), seed),
    "ogg-chained": lambda seconds, seed: vorbis(noise(seconds / 2), 8) + vorbis(noise(seconds / 2), seed),
    "ogg-flac": ogg_flac,
    "m4a": lambda seconds, seed: m4a(noise(seconds), seed),
    "aac": lambda seconds, seed: ffmpeg_sound(noise(seconds, channels=1 + seed % 2), "adts"),
}


@cache
def whole(name: str, seed: int) -> bytes:
    """A file without damage, one to two seconds long."""
    return MAKERS[name](1.0 + 0.3 * seed, seed)


def seconds_by_ffmpeg(data: bytes) -> float:
    """How much FFmpeg finds before it meets an error; 0 where it finds nothing."""
    seconds = 0.0
    try:
        with av.open(io.BytesIO(data), metadata_errors="ignore") as container:
            for frame in container.decode(audio=0):
                seconds += frame.samples / frame.sample_rate
    except Exception:  # noqa: BLE001  it may say anything about damaged files
        return seconds
    return seconds


def judge(data: bytes, result: object) -> str:
    """A file that was read has about as much sound as another decoder finds."""
    assert isinstance(result, np.ndarray)
    ours, theirs = len(result) / RATE, seconds_by_ffmpeg(data)
    return f"{ours:.2f} seconds, FFmpeg finds {theirs:.2f}" if ours < theirs - LOST else ""


def _kind(name: str) -> Kind:
    return Kind(lambda rng: whole(name, int(rng.integers(VARIANTS))), lambda data: decode_audio(data, RATE), judge)


def sealed(data: bytes) -> bytes:
    """The same Ogg file with the right checksum in each page, so that more than the first check is met."""
    pages = bytearray(data)
    place = 0
    while (place := data.find(b"OggS", place)) >= 0 and place + 27 <= len(data):
        body = place + 27 + data[place + 26]
        end = body + sum(data[place + 27 : body])
        pages[place + 22 : place + 26] = bytes(4)
        pages[place + 22 : place + 26] = page_checksum(bytes(pages[place:end])).to_bytes(4, "little")
        place += 27
    return bytes(pages)


SOUNDS = {name: _kind(name) for name in MAKERS}
SOUNDS |= {
    f"{name}-sealed": _kind(name)._replace(mend=sealed) for name in ("vorbis", "opus", "ogg-flac", "ogg-chained")
}
