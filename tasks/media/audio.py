"""Decodes audio files to mono samples."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import soundfile

from tasks.media import BadMedia, check_size, in_short
from tasks.media.containers import EXPECTED, split_sound
from tasks.media.parts import Part, check_amount, check_rates
from tasks.media.remarks import remark_on_edge, remark_on_sound
from tasks.media.resample import resample
from tasks.media.spectrum import upper_edge

MOST_CHANNELS = 32
LOUDEST = 4.0  # 12 dB above full scale: decoders do not overshoot that far; integers stored as floats are far above
FORMATS = frozenset({"WAV", "WAVEX", "FLAC", "OGG", "MP3"})  # of those that libsndfile reads
BLOCK = 1 << 20  # samples decoded at once, over all channels
PADDING = 2 * 1152  # samples: of MP3, decoders take away one or two frames that the encoder has added
SLACK = 0.5  # seconds by which an MP4 may be shorter than declared: edit lists and priming


def decode_audio(data: bytes, rate: int = 44_100, bandwidth: float | None = None) -> np.ndarray:
    """Return (samples,) float32 mono at `rate` Hz: channels averaged, resampled. Raises BadMedia with the reason.

    Nothing above `bandwidth` (Hz) is left, so that recordings of all rates have the same; it should be below .45 of the
    lowest rate in the catalogue, because a resampler fades out from there to half of the rate.

    Full scale is 1. Peaks up to LOUDEST are kept, because decoders of lossy formats overshoot; a file with higher peaks
    does not have the scale that it claims and is refused. So is a file that is cut off, damaged, or whose parts cannot
    be read as one: otherwise a partial download would get a wrong embedding.
    """
    check_size(data, "audio")
    heard = _decode(split_sound(data))
    if not len(heard.samples):
        raise BadMedia("no sound in the file")
    peak = float(max(heard.samples.max(), -heard.samples.min()))
    if not np.isfinite(peak):
        raise BadMedia("samples that are not numbers")
    if peak > LOUDEST:
        raise BadMedia(f"samples up to {peak:.3g}, full scale is 1")
    remark_on_sound(heard.power, heard.channels)
    samples = resample(heard.samples, heard.rate, rate, bandwidth)
    if heard.power:
        remark_on_edge(upper_edge(samples, rate), bandwidth or rate / 2)
    return samples


class _Heard(NamedTuple):
    """Mono samples (n,) and their rate; mean squares of these, and of the channels before they were averaged."""

    samples: np.ndarray
    rate: int
    power: float
    channels: float


Block = tuple[int, np.ndarray]  # rate and (n, channels) float32


def _decode(parts: list[Part]) -> _Heard:
    """Decode all parts one after the other."""
    known = sum(part.samples for part in parts)
    if known:
        check_amount(parts[0].rate, known)
    mono: list[np.ndarray] = []
    length = rate = 0
    power = channels = 0.0
    for part in parts:
        before = length
        for own, block in _by_ffmpeg(part) if part.demuxer else _by_soundfile(part):
            rate = check_rates(rate, own)
            length += len(block)
            check_amount(rate, length)
            with np.errstate(over="ignore", invalid="ignore"):  # of floats that are no sound, which is found out later
                mono.append(block.mean(axis=1))
                power += float(np.vdot(mono[-1], mono[-1]))
                channels += float(np.vdot(block, block)) / block.shape[1]
        least = part.samples * (rate or part.rate) / (part.rate or 1)  # AAC may have twice the rate of its frames
        if length - before < max(least - PADDING, min(least, 1)):
            raise BadMedia(f"truncated: {length - before} of {least:.0f} samples")
    samples = np.concatenate(mono) if mono else np.zeros(0, np.float32)
    return _Heard(samples, rate, power / max(length, 1), channels / max(length, 1))


def _by_soundfile(part: Part) -> Iterator[Block]:
    """Decode by libsndfile."""
    try:
        with soundfile.SoundFile(io.BytesIO(part.data)) as file:
            if file.format not in FORMATS:
                raise BadMedia(f"{file.format} sound, {EXPECTED}")
            check_channels(file.channels)
            check_amount(file.samplerate, file.frames)  # before anything is decoded
            length, digest = 0, hashlib.md5(usedforsecurity=False)
            kind = "int32" if part.md5 else "float32"
            while len(block := file.read(BLOCK // file.channels, dtype=kind, always_2d=True)):
                length += len(block)
                if part.md5:
                    digest.update(_pack(block, part.depth))
                    block = block.astype(np.float32) * np.float32(2.0**-31)
                yield file.samplerate, block
            if part.md5 and digest.digest() != part.md5 and length >= part.samples:
                raise BadMedia("damaged sound (its samples are not as its checksum says)")
            if not part.rate and file.frames - length > PADDING:
                raise BadMedia(f"truncated: {length} of {file.frames} samples")
    except soundfile.SoundFileError as error:
        raise BadMedia(f"damaged sound ({in_short(error)})") from error


def _pack(block: np.ndarray, depth: int) -> bytes:
    """Return (n, channels) int32, whose upper `depth` bits count, as FLAC's checksum takes them: whole bytes each."""
    samples = np.ascontiguousarray(block >> (32 - depth), dtype="<i4")
    return samples.view(np.uint8).reshape(*block.shape, 4)[:, :, : (depth + 7) // 8].tobytes()


def _by_ffmpeg(part: Part) -> Iterator[Block]:
    try:
        yield from _demux(part)
    except BadMedia:
        raise
    except Exception as error:  # parsers raise many kinds of errors for untrusted bytes
        raise BadMedia(f"damaged sound ({in_short(error)})") from error


def _demux(part: Part) -> Iterator[Block]:
    """Decode with the part's demuxer: FFmpeg's own choice includes playlists, which refer to other files and URLs."""
    import av  # noqa: PLC0415  seldom needed, and slow to import

    with av.open(io.BytesIO(part.data), format=part.demuxer, metadata_errors="ignore") as container:
        if not container.streams.audio:
            raise BadMedia("no sound in the file")
        stream = container.streams.audio[0]
        length = rate = 0
        if stream.rate and stream.duration and stream.time_base:
            check_amount(stream.rate, int(stream.duration * stream.time_base * stream.rate))
        layout, packed = "", av.AudioResampler(format="flt")
        for frame in container.decode(stream):
            rate = frame.sample_rate
            check_channels(frame.layout.nb_channels)
            if frame.layout.name != layout:  # channels may change in the middle of a file
                layout, packed = frame.layout.name, av.AudioResampler(format="flt")
            for piece in packed.resample(frame):  # packed, because PyAV miscounts planes of eight or more channels
                block = piece.to_ndarray().reshape(-1, piece.layout.nb_channels)
                length += len(block)
                yield rate, block
        if part.demuxer == "mp4" and rate and stream.duration and stream.time_base:
            declared = float(stream.duration * stream.time_base)
            if length / rate < declared - SLACK:
                raise BadMedia(f"truncated: {length / rate:.1f} of {declared:.1f} seconds")


def check_channels(channels: int) -> None:
    """Raise BadMedia for more than MOST_CHANNELS channels."""
    if channels > MOST_CHANNELS:
        raise BadMedia(f"{channels} channels, more than {MOST_CHANNELS}")
