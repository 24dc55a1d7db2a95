"""Media files made by code: whole ones of every format, and broken ones of every kind."""

from __future__ import annotations

import io
import struct
import tempfile
import zlib
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile
from PIL import Image

WEB_PAGE = b"<!DOCTYPE html><title>404</title><h1>Not found</h1>\n"


def picture(size: tuple[int, int] = (40, 30), seed: int = 0) -> Image.Image:
    """RGB noise: nothing that compresses well, so that half a file is half a picture."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def saved(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    """The bytes of a picture file."""
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def png_claiming(width: int, height: int) -> bytes:
    """A PNG that claims a size and brings next to no pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"0" * 16)) + chunk(b"IEND", b"")


def tone(seconds: float = 1.0, rate: int = 44_100, pitch: float = 440.0, level: float = 0.5) -> np.ndarray:
    """(n,) float64 of a sine."""
    return level * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)


def sound(samples: np.ndarray, rate: int = 44_100, form: str = "WAV", subtype: str | None = None) -> bytes:
    """The bytes of a sound file, by libsndfile; `samples` (n,) or (n, channels)."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=form, subtype=subtype)
    return buffer.getvalue()


def ffmpeg_sound(samples: np.ndarray, form: str, rate: int = 44_100, **options: str) -> bytes:
    """The bytes of an `mp4`, `adts` (bare AAC) or `mp3` file, by FFmpeg; `samples` (n,), (n, 2) or (n, 8)."""
    planes = np.atleast_2d(samples.T).astype(np.float32)
    layout = {1: "mono", 2: "stereo", 8: "7.1"}[len(planes)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sound"  # a file and not a buffer: `faststart` reads it again
        _write_by_ffmpeg(path, planes, layout, form, rate, options)
        return path.read_bytes()


def _write_by_ffmpeg(  # noqa: PLR0917
    path: Path, planes: np.ndarray, layout: str, form: str, rate: int, options: dict[str, str]
) -> None:
    with av.open(path, "w", format=form, options=options) as container:
        stream = container.add_stream("libmp3lame" if form == "mp3" else "aac", rate=rate)
        stream.layout = layout  # type: ignore[union-attr]
        stream.bit_rate = 128_000  # type: ignore[union-attr]
        step = stream.codec_context.frame_size or 1024
        for start in range(0, planes.shape[1], step):
            part = np.ascontiguousarray(planes[:, start : start + step].T).reshape(1, -1)  # PyAV writes no eight planes
            frame = av.AudioFrame.from_ndarray(part, format="flt", layout=layout)
            frame.sample_rate, frame.pts = rate, start
            container.mux(stream.encode(frame))  # type: ignore[union-attr]
        container.mux(stream.encode(None))  # type: ignore[union-attr]


def id3(size: int) -> bytes:
    """An ID3v2 tag of `size` bytes, as large as a cover makes it; its length has seven bits a byte."""
    return b"ID3\3\0\0" + bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0)) + b"\0" * size


def flac_of_unknown_length(data: bytes) -> bytes:
    """The same FLAC file as a program that streams writes it: STREAMINFO says 0 samples."""
    changed = bytearray(data)
    changed[21] &= 0xF0
    changed[22:26] = bytes(4)
    return bytes(changed)


def wav_of_unknown_length(data: bytes) -> bytes:
    """The same WAV file as a program that streams writes it: all sizes are 0xFFFFFFFF."""
    place = data.index(b"data") + 4
    return data[:4] + b"\xff" * 4 + data[8:place] + b"\xff" * 4 + data[place + 4 :]
