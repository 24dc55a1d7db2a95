"""The frequency at which a sound ends: where something was taken away, and not where it is quiet by nature."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import soxr

from tasks.media.audio import decode_audio
from tasks.media.remarks import remarks
from tasks.media.spectrum import upper_edge
from tests.encoders.media import sound, tone
from tests.media.sounds import noise

RATE = 44_100


def pink(seconds: float = 3.0) -> np.ndarray:
    """Noise that falls by three decibels an octave, as music does."""
    spectrum = np.fft.rfft(np.random.default_rng(3).normal(size=round(seconds * RATE)))
    samples = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)))
    return 0.1 * samples / samples.std()


def at(rate: int) -> bytes:
    """The same recording at another rate."""
    return sound(soxr.resample(pink(), RATE, rate, "VHQ"), rate)


def falling(steepness: float) -> bytes:
    """Noise that falls by so many decibels a kHz, down to that of 16 bits."""
    spectrum = np.fft.rfft(noise(3.0))
    hertz = np.fft.rfftfreq(3 * RATE, 1 / RATE)
    return sound(np.fft.irfft(spectrum * 10 ** (-steepness * hertz / 1_000 / 20)))


CASES: dict[str, tuple[list[str], Callable[[], bytes]]] = {
    "44.1 kHz": ([], lambda: at(44_100)),
    "48 kHz": ([], lambda: at(48_000)),
    "96 kHz": ([], lambda: at(96_000)),
    "32 kHz": (["limited to 16 kHz"], lambda: at(32_000)),
    "24 kHz": (["limited to 11 kHz"], lambda: at(24_000)),
    "22.05 kHz": (["limited to 11 kHz"], lambda: at(22_050)),
    "16 kHz": (["limited to 7.8 kHz"], lambda: at(16_000)),
    "11.025 kHz": (["limited to 5.5 kHz"], lambda: at(11_025)),
    "8 kHz": (["limited to 3.9 kHz"], lambda: at(8_000)),
    "8 kHz, stored at 44.1": (["limited to 3.9 kHz"], lambda: sound(decode_audio(at(8_000)))),
    "MP3 of 16 kHz": (["limited to 16 kHz"], lambda: sound(pink(), form="MP3")),
    "quiet": (["limited to 11 kHz"], lambda: sound(decode_audio(at(22_050)) / 30)),
    "a tone": ([], lambda: sound(tone(), subtype="FLOAT")),
    "a gentle fall": ([], lambda: falling(5)),
    "a steeper fall": ([], lambda: falling(10)),
    "a click": ([], lambda: sound(np.eye(1, RATE, 500)[0] * 0.5)),
    "two samples": ([], lambda: sound(np.array([0.5, -0.5]))),
}


@pytest.mark.parametrize("name", CASES)
def test_the_bandwidth_is_remarked_on(name: str) -> None:
    """What a rate or a codec has taken away, however the file is stored, in steps of half an octave."""
    expected, make = CASES[name]
    data = make()
    with remarks() as said:
        decode_audio(data)
    assert said == expected


def test_the_edge_is_found_to_half_a_kilohertz() -> None:
    """Of a recording that was low-passed."""
    for edge in (3_000, 5_500, 9_000, 14_000, 18_000):
        spectrum = np.fft.rfft(noise(2.0))
        spectrum[np.fft.rfftfreq(2 * RATE, 1 / RATE) > edge] = 0
        assert upper_edge(np.float32(np.fft.irfft(spectrum)), RATE) == pytest.approx(edge, abs=500)


def test_an_encoder_of_a_lower_rate_hears_no_more() -> None:
    """At 16 kHz, recordings of 16 and of 44.1 kHz have one bandwidth, and so they do when all are brought to 7 kHz."""
    for options in ({"rate": 16_000}, {"bandwidth": 7_000.0}):
        for data in (at(16_000), at(44_100)):
            with remarks() as said:
                decode_audio(data, **options)
            assert said == []
