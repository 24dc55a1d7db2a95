"""The parts of a sound file that are decoded one after the other; most files have one."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.media import BadMedia

LONGEST = 20 * 60  # seconds; longer files are refused
MOST_SAMPLES = 60_000_000  # per channel: 20 minutes at 48 kHz, five at 192 kHz
RATES = (4_000, 384_000)  # Hz


@dataclass(frozen=True)
class Part:
    """Bytes that one decoder reads to their end, and what their structure says of the sound in them.

    demuxer: FFmpeg's name of the container; empty for libsndfile. rate: samples a second, and samples: the least that
    a decoder has to find, both 0 where the structure does not say. md5: of samples of `depth` bits, empty if unknown.
    """

    data: bytes
    demuxer: str = ""
    rate: int = 0
    samples: int = 0
    depth: int = 0
    md5: bytes = b""


def check_amount(rate: int, samples: int) -> None:
    """Raise BadMedia for an impossible rate or too much audio; called before and while decoding."""
    if not RATES[0] <= rate <= RATES[1]:
        raise BadMedia(f"{rate} samples a second, expected {RATES[0]} to {RATES[1]}")
    if samples > LONGEST * rate:
        raise BadMedia(f"more than {LONGEST // 60} minutes of sound")
    if samples > MOST_SAMPLES:
        raise BadMedia(f"more than {MOST_SAMPLES} samples of sound")


def check_rates(rate: int, other: int) -> int:
    """Return `other`; raise BadMedia if the parts of a file have several rates. `rate` is 0 before the first."""
    if rate not in {0, other}:
        raise BadMedia(f"{rate} and {other} samples a second in one file")
    return other
