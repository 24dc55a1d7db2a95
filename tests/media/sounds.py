"""Sound files of every kind that is met, made by code: whole ones, joined ones, and headers that are wrong."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import NamedTuple

import av
import numpy as np

from tasks.media.frames import find_first
from tasks.media.mpeg import MP3, parse_mpeg
from tasks.media.ogg import page_checksum
from tests.encoders.media import sound

RATE = 44_100


def noise(seconds: float, rate: int = RATE, channels: int = 1, seed: int = 0) -> np.ndarray:
    """(n,) or (n, channels) noise: nothing that compresses to nothing."""
    size = (round(seconds * rate), channels) if channels > 1 else round(seconds * rate)
    return 0.1 * np.random.default_rng(seed).normal(size=size)


def mp3(seconds: float, rate: int = RATE, channels: int = 1, *, announced: bool = True) -> bytes:
    """An MP3 by LAME; without `announced` only its frames, without the first, which announces them."""
    data = sound(noise(seconds, rate, channels), rate, form="MP3")
    return data if announced else b"".join(mp3_frames(data)[1:])


def mp3_frames(data: bytes) -> list[bytes]:
    """Split layer III into its frames, behind an ID3 tag."""
    place = find_first(data, MP3)
    assert place is not None
    frames = []
    while place + 4 <= len(data) and data[place] == 0xFF:
        frame = parse_mpeg(data[place : place + 4])
        assert frame is not None
        frames.append(data[place : place + frame.size])
        place += frame.size
    return frames


class OggPage(NamedTuple):
    """A page and what of its header the tests change."""

    head: bytes
    table: bytes
    body: bytes

    @property
    def number(self) -> int:
        """Its sequence number."""
        return int.from_bytes(self.head[18:22], "little")

    def packed(
        self,
        *,
        flags: int | None = None,
        serial: int | None = None,
        number: int | None = None,
        granule: int | None = None,
        body: bytes | None = None,
    ) -> bytes:
        """Its bytes with another flag, serial number, number, position or content, and the checksum of that."""
        head = bytearray(self.head)
        if flags is not None:
            head[5] = flags
        if serial is not None:
            head[14:18] = struct.pack("<I", serial)
        if granule is not None:
            head[6:14] = struct.pack("<Q", granule)
        if number is not None:
            head[18:22] = struct.pack("<I", number)
        head[22:26] = bytes(4)
        page = bytes(head) + self.table + (self.body if body is None else body)
        return page[:22] + struct.pack("<I", page_checksum(page)) + page[26:]


def ogg_pages(data: bytes) -> list[OggPage]:
    """Split an Ogg file into its pages."""
    return list(_ogg_pages(data))


def _ogg_pages(data: bytes) -> Iterator[OggPage]:
    place = 0
    while place < len(data):
        body = place + 27 + data[place + 26]
        end = body + sum(data[place + 27 : body])
        yield OggPage(data[place : place + 27], data[place + 27 : body], data[body:end])
        place = end


def with_serial(data: bytes, serial: int) -> bytes:
    """The same Ogg stream under another serial number, as each link of a chain has one."""
    return b"".join(page.packed(serial=serial) for page in ogg_pages(data))


def with_sizes(data: bytes, riff: int | None, size: int | None) -> bytes:
    """A WAV file with other sizes in its header: of the file, and of the sound."""
    place = data.index(b"data") + 4
    head = data[:4] + (data[4:8] if riff is None else struct.pack("<I", riff)) + data[8:place]
    return head + (data[place : place + 4] if size is None else struct.pack("<I", size)) + data[place + 4 :]


def chunk(name: bytes, body: bytes, *, padded: bool = True) -> bytes:
    """A chunk of RIFF."""
    return name + struct.pack("<I", len(body)) + body + (b"\0" if padded and len(body) % 2 else b"")


def riff(*chunks: bytes, form: bytes = b"WAVE") -> bytes:
    """A RIFF file of these chunks."""
    body = form + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def pcm(samples: np.ndarray) -> bytes:
    """The bytes of (n,) samples with 16 bits."""
    return np.int16(np.clip(np.round(samples * 32_768), -32_768, 32_767)).astype("<i2").tobytes()


FORMAT = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16))


def of_ffmpeg(seconds: float, codec: str, form: str, step: int = 1_152) -> bytes:
    """Mono noise in another codec."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=form) as container:
        stream = container.add_stream(codec, rate=RATE)
        stream.layout = "mono"  # type: ignore[union-attr]
        samples = np.int16(noise(seconds) * 32_767)
        for start in range(0, len(samples), step):
            frame = av.AudioFrame.from_ndarray(samples[None, start : start + step], format="s16", layout="mono")
            frame.sample_rate, frame.pts = RATE, start
            container.mux(stream.encode(frame))  # type: ignore[union-attr]
        container.mux(stream.encode(None))  # type: ignore[union-attr]
    return buffer.getvalue()


def ogg_flac(seconds: float, serial: int) -> bytes:
    """A stream of FLAC in Ogg."""
    return with_serial(of_ffmpeg(seconds, "flac", "ogg", 4_096), serial)
