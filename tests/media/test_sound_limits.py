"""A recording of hours is refused by what its header or frames say, in bounded memory."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.encoders.media import ffmpeg_sound, flac_of_unknown_length, sound
from tests.media.sounds import chunk, mp3, noise, ogg_pages, riff, with_sizes

HOURS = 4
RATE = 8_000
SCRIPT = r"""
import re, sys
from tasks.media import BadMedia
from tasks.media.audio import decode_audio
import av
data = open(sys.argv[1], "rb").read()
memory = lambda what: int(re.search(what + r":\s+(\d+)", open("/proc/self/status").read())[1])  # of this program alone
before = memory("VmRSS")
try:
    print(len(decode_audio(data)), end=" ")
except BadMedia as error:
    print(error, end=" ")
print(memory("VmHWM") - before)
"""


def flac(hours: float) -> bytes:
    """Silence, which is small, by a writer that never holds all of it."""
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", RATE, 1, format="FLAC") as file:
        for _ in range(round(hours * 60)):
            file.write(np.zeros(60 * RATE, np.int16))
    return buffer.getvalue()


def wav(hours: float) -> bytes:
    """Samples of eight bits."""
    head = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, RATE, RATE, 1, 8))
    return riff(head, chunk(b"data", b"\x80" * round(hours * 3_600 * RATE)))


def opus(hours: float) -> bytes:
    """Ten seconds again and again, each page with its own number and position."""
    pages = ogg_pages(sound(noise(10, 48_000), 48_000, form="OGG", subtype="OPUS"))
    first, *rest = pages[2:]
    written = [page.packed() for page in pages[:2]]
    for number in range(round(hours * 3_600 / 10 * (1 + len(rest)))):
        written.append(first.packed(flags=0, number=2 + number, granule=48_000 * (1 + number)))
    last = first.packed(flags=4, number=2 + number + 1, granule=48_000 * (2 + number))
    return b"".join([*written, last])


LONG: dict[str, Callable[[], bytes]] = {
    "wav": lambda: wav(HOURS),
    "wav of a pipe": lambda: with_sizes(wav(HOURS), 0xFFFFFFFF, 0xFFFFFFFF),
    "flac": lambda: flac(HOURS),
    "flac of a stream": lambda: flac_of_unknown_length(flac(HOURS)),
    "mp3": lambda: mp3(60, RATE, announced=False) * (HOURS * 60),
    "opus": lambda: opus(HOURS),
    "aac": lambda: ffmpeg_sound(noise(60, RATE), "adts", RATE) * (HOURS * 60),
    "m4a": lambda: ffmpeg_sound(np.zeros(HOURS * 3_600 * RATE, np.float32), "mp4", RATE),
}


def decode(data: bytes, folder: Path) -> tuple[str, int]:
    """What comes of a file in a process of its own, and by how many MiB that grows."""
    path = folder / "sound"
    path.write_bytes(data)
    run = subprocess.run([sys.executable, "-c", SCRIPT, str(path)], capture_output=True, text=True, check=True)
    said, _, grown = run.stdout.strip().rpartition(" ")
    return said, int(grown) // 1024


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_hours_of_sound_are_refused_before_they_are_decoded(name: str, tmp_path: Path) -> None:
    """Within 64 MiB beside the file itself."""
    said, grown = decode(LONG[name](), tmp_path)
    assert said == "more than 20 minutes of sound"
    assert grown < 64


@pytest.mark.slow
def test_the_longest_sound_fits_in_memory(tmp_path: Path) -> None:
    """Twenty minutes at 48 kHz are 230 MB, and 212 MB at the rate of the encoder."""
    said, grown = decode(sound(np.zeros(20 * 60 * 48_000, np.int16), 48_000, form="FLAC"), tmp_path)
    assert int(said) == 20 * 60 * 44_100
    assert grown < 600
