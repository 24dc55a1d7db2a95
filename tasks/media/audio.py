"""Decodes audio files to mono samples."""

from __future__ import annotations

import io

import numpy as np
import soundfile
import torch

from tasks.media import BadMedia, check_size, in_short
from tasks.media.containers import check_whole, declares_length, ffmpeg_format
from tasks.media.remarks import remark_on_sound
from tasks.media.resample import resample

LONGEST = 20 * 60  # seconds; longer files are refused
MOST_SAMPLES = 60_000_000  # per channel: 20 minutes at 48 kHz, five at 192 kHz
MOST_CHANNELS = 32
RATES = (4_000, 384_000)  # Hz
LOUDEST = 4.0  # 12 dB above full scale: decoders do not overshoot that far; integers stored as floats are far above
FORMATS = frozenset(
    {"WAV", "WAVEX", "RF64", "FLAC", "OGG", "MP3"}
)  # of those that libsndfile reads; it would truncate others silently
BLOCK = 1 << 20  # samples decoded at once, over all channels
PADDING = 2 * 1152  # MP3 decoders differ by one or two frames of padding
SLACK = 0.5  # seconds by which an MP4 may be shorter than declared: edit lists and priming


def decode_audio(data: bytes, rate: int = 44_100) -> np.ndarray:
    """Return (samples,) float32 mono at `rate` Hz: channels averaged, resampled. Raises BadMedia with the reason.

    Full scale is 1. Peaks up to LOUDEST are kept, because decoders of lossy formats overshoot; a file with higher peaks
    does not have the scale that it claims and is refused. A truncated file is refused if its format declares the length
    (MP3 without a Xing header, bare AAC and streamed FLAC do not): otherwise a partial download would get a wrong
    embedding.
    """
    check_size(data, "audio")
    check_whole(data)
    samples, native = _decode(data)
    if not len(samples):
        raise BadMedia("no sound in the file")
    peak = float(max(samples.max(), -samples.min()))
    if not np.isfinite(peak):
        raise BadMedia("samples that are not numbers")
    if peak > LOUDEST:
        raise BadMedia(f"samples up to {peak:.3g}, full scale is 1")
    remark_on_sound(samples)
    resampled = resample(torch.from_numpy(samples), native, rate).numpy()
    return np.ascontiguousarray(resampled, dtype=np.float32)


def _decode(data: bytes) -> tuple[np.ndarray, int]:
    """Return (n,) float32 mono and its rate; uses libsndfile, or FFmpeg for formats unknown to libsndfile."""
    try:
        return _by_soundfile(data)
    except soundfile.SoundFileError as error:
        name = ffmpeg_format(data)
        if name is None:
            known = data[:4] in {b"RIFF", b"RF64", b"OggS", b"fLaC"}
            reason = f"damaged sound ({in_short(error)})" if known else "not sound of a known format"
            raise BadMedia(reason) from error
    return _by_ffmpeg(data, name)


def _by_soundfile(data: bytes) -> tuple[np.ndarray, int]:
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        if file.format not in FORMATS:
            raise BadMedia(f"{file.format} sound, expected WAV, MP3, FLAC, Ogg, MP4 or AAC")
        check_channels(file.channels)
        parts, length = [], 0
        while len(block := file.read(BLOCK // file.channels, dtype="float32", always_2d=True)):
            parts.append(block.mean(axis=1))
            length += len(block)
            check_amount(file.samplerate, length)
        if declares_length(data) and file.frames - length > PADDING:
            raise BadMedia(f"truncated: {length} of {file.frames} samples")
        return _join(parts), int(file.samplerate)


def _by_ffmpeg(data: bytes, name: str) -> tuple[np.ndarray, int]:
    try:
        return _demux(data, name)
    except BadMedia:
        raise
    except Exception as error:  # parsers raise many kinds of errors for untrusted bytes
        raise BadMedia(f"damaged sound ({in_short(error)})") from error


def _demux(data: bytes, name: str) -> tuple[np.ndarray, int]:
    """Decode with demuxer `name`: FFmpeg's own choice includes playlists, which refer to other files and URLs."""
    import av  # noqa: PLC0415  seldom needed, and slow to import

    with av.open(io.BytesIO(data), format=name, metadata_errors="ignore") as container:
        if not container.streams.audio:
            raise BadMedia("no sound in the file")
        stream = container.streams.audio[0]
        packed = av.AudioResampler(format="flt")  # packed, because PyAV miscounts planes of eight or more channels
        parts, length, rate = [], 0, 0
        for frame in container.decode(stream):
            rate = rate or frame.sample_rate
            if frame.sample_rate != rate:
                raise BadMedia(f"{rate} and {frame.sample_rate} samples a second in one file")
            check_channels(frame.layout.nb_channels)
            for piece in packed.resample(frame):
                block = piece.to_ndarray().reshape(-1, piece.layout.nb_channels)
                parts.append(block.mean(axis=1))
                length += len(block)
                check_amount(rate, length)
        if name == "mp4" and rate and stream.duration and stream.time_base:
            declared = float(stream.duration * stream.time_base)
            if length / rate < declared - SLACK:
                raise BadMedia(f"truncated: {length / rate:.1f} of {declared:.1f} seconds")
    return _join(parts), rate


def check_channels(channels: int) -> None:
    """Raise BadMedia for more than MOST_CHANNELS channels."""
    if channels > MOST_CHANNELS:
        raise BadMedia(f"{channels} channels, more than {MOST_CHANNELS}")


def check_amount(rate: int, samples: int) -> None:
    """Raise BadMedia for an impossible rate or too much audio; called while decoding, before more is stored."""
    if not RATES[0] <= rate <= RATES[1]:
        raise BadMedia(f"{rate} samples a second, expected {RATES[0]} to {RATES[1]}")
    if samples > LONGEST * rate:
        raise BadMedia(f"more than {LONGEST // 60} minutes of sound")
    if samples > MOST_SAMPLES:
        raise BadMedia(f"more than {MOST_SAMPLES} samples of sound")


def _join(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)
