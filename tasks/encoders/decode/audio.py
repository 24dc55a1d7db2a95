"""Sound as mono samples."""

from __future__ import annotations

import io
import struct

import numpy as np
import soundfile
import torch

from tasks.encoders.decode import LARGEST_FILE, BadMedia
from tasks.encoders.decode.resample import resample

LONGEST = 20 * 60.0  # seconds that are decoded; a longer file is refused
LOUDEST = 1.5  # a decoder may overshoot full scale a little; far beyond, the file is not in the scale it claims
RATES = (1_000, 384_000)
UNKNOWN_LENGTH = 0xFFFFFFFF  # what a program that streams writes for sizes it cannot know yet


def decode_audio(data: bytes, rate: int = 44_100) -> np.ndarray:
    """(samples,) float32 mono, full scale 1, at `rate` Hz: channels averaged, resampled. BadMedia with the reason otherwise.

    A truncated file is refused, not shortened: what is left of a cut download would get a vector of its own.
    """
    if not data:
        raise BadMedia("empty file")
    if len(data) > LARGEST_FILE:
        raise BadMedia(f"{len(data)} bytes of sound, more than {LARGEST_FILE}")
    check_riff(data)
    try:
        samples, found = _soundfile(data)
    except soundfile.LibsndfileError:
        samples, found = _av(data)  # m4a, aac, and mp3 with odd headers
    if not len(samples):
        raise BadMedia("no sound in the file")
    if not np.isfinite(samples).all():
        raise BadMedia("samples that are not numbers")
    peak = float(np.abs(samples).max())
    if peak > LOUDEST:
        raise BadMedia(f"samples up to {peak:.3g}, full scale is 1")
    resampled = resample(torch.from_numpy(samples), found, rate).numpy()
    return np.ascontiguousarray(resampled, dtype=np.float32)


def check_riff(data: bytes) -> None:
    """BadMedia for a WAV whose data chunk promises more bytes than there are: libsndfile shortens it in silence."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return
    place = 12
    while place + 8 <= len(data):
        name, size = data[place : place + 4], struct.unpack_from("<I", data, place + 4)[0]
        if name == b"data":
            if size != UNKNOWN_LENGTH and place + 8 + size > len(data):
                raise BadMedia(f"truncated: {len(data) - place - 8} of {size} bytes of sound")
            return
        place += 8 + size + size % 2
    raise BadMedia("truncated: no sound in the WAV file")


def _soundfile(data: bytes) -> tuple[np.ndarray, int]:
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        _check(file.samplerate, file.frames)
        declared = file.frames
        samples = file.read(dtype="float32", always_2d=True)
        if declared - len(samples) > 2 * 1152:  # decoders of MP3 disagree by a frame or two on the padding
            raise BadMedia(f"truncated: {len(samples)} of {declared} samples")
        return samples.mean(axis=1), int(file.samplerate)


def _av(data: bytes) -> tuple[np.ndarray, int]:
    """By FFmpeg, for what libsndfile does not know."""
    import av  # noqa: PLC0415  seldom needed, and slow to import

    try:
        with av.open(io.BytesIO(data), metadata_errors="ignore") as container:
            if not container.streams.audio:
                raise BadMedia("no sound in the file")
            stream = container.streams.audio[0]
            rate = int(stream.rate or 0)
            resampler = av.AudioResampler(format="fltp", layout="mono", rate=rate)
            parts, length = [], 0
            for frame in container.decode(stream):
                for piece in resampler.resample(frame):
                    parts.append(piece.to_ndarray().reshape(-1))
                    length += len(parts[-1])
                    _check(rate, length)
            _check(rate, length)
            expected = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
            if length / rate < expected - 0.5:
                raise BadMedia(f"truncated: {length / rate:.1f} of {expected:.1f} seconds")
    except (av.error.FFmpegError, ValueError, OSError) as error:
        if isinstance(error, BadMedia):
            raise
        raise BadMedia("not sound of a known format, or damaged") from error
    return (np.concatenate(parts) if parts else np.zeros(0, np.float32)), rate


def _check(rate: int, samples: int) -> None:
    """Before anything is allocated."""
    if not RATES[0] <= rate <= RATES[1]:
        raise BadMedia(f"{rate} samples a second, expected {RATES[0]} to {RATES[1]}")
    if samples <= 0:
        raise BadMedia("no sound in the file")
    if samples > LONGEST * rate:
        raise BadMedia(f"{samples / rate / 60:.1f} minutes of sound, more than {LONGEST / 60:.0f}")
