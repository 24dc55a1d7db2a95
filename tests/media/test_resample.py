"""Resampling: as librosa does it, at any rate, and to one bandwidth."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import soxr

from tasks.media.audio import decode_audio
from tasks.media.resample import resample
from tests.encoders.media import sound, tone

RATE = 44_100
RATES = [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_099, 44_100, 48_000, 96_000, 192_000]


def noise(rate: int, seconds: float = 1.0) -> np.ndarray:
    """(n, 2) noise, so that every frequency is there."""
    return 0.1 * np.random.default_rng(rate).normal(size=(round(seconds * rate), 2))


def level_above(samples: np.ndarray, hertz: float) -> float:
    """Decibels of what is above a frequency, beside all."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    return float(10 * np.log10(power[np.fft.rfftfreq(len(samples), 1 / RATE) > hertz].sum() / power.sum()))


@pytest.mark.parametrize("rate", RATES)
def test_samples_are_those_of_librosa(rate: int) -> None:
    """Read, averaged, resampled by soxr HQ, of the length ceil(n * ratio): the pipeline of `librosa.load`."""
    data = sound(noise(rate, 0.5173), rate)
    channels = np.float32(np.round(noise(rate, 0.5173) * 32_767) / 32_768)
    expected = channels.mean(axis=1)
    if rate != RATE:
        expected = soxr.resample(expected, rate, RATE, quality="soxr_hq")
    size = int(np.ceil(len(channels) * RATE / rate))
    found = decode_audio(data)
    assert found.shape == (size,)
    both = min(size, len(expected))
    cosine = found[:both] @ expected[:both] / np.linalg.norm(found) / np.linalg.norm(expected)
    assert cosine > 0.9999


@pytest.mark.parametrize("rate", RATES)
def test_a_click_stays_where_it_was(rate: int) -> None:
    """The filter delays nothing."""
    samples = np.zeros(rate, np.float32)
    samples[rate // 4] = 1.0
    place = int(np.abs(resample(samples, rate, RATE)).argmax())
    assert abs(place - rate // 4 * RATE / rate) <= 1


@pytest.mark.parametrize("rate", RATES)
def test_a_tone_keeps_pitch_and_level(rate: int) -> None:
    """Also between rates without a common divisor."""
    found = resample(tone(rate=rate).astype(np.float32), rate, RATE)
    assert len(found) == RATE
    np.testing.assert_allclose(found[500:-500], tone()[500:-500], atol=1e-4)


def test_another_rate_can_be_asked_for() -> None:
    """The target can be 16 kHz, for example."""
    assert len(decode_audio(sound(tone()), 16_000)) == 16_000


@pytest.mark.parametrize("rate", [4_001, 44_099, 191_999, 383_999])
def test_no_rate_needs_a_large_table_of_filters(rate: int) -> None:
    """The rate comes from a file of strangers: a table of 44,099 x 44,100 filters would need gigabytes."""
    script = (
        "import re; import numpy as np; from tasks.media.resample import resample\n"
        "peak = lambda: int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])\n"
        "before = peak()\n"
        f"assert len(resample(np.zeros({rate}, np.float32), {rate}, 44_100)) == 44_100\n"
        "print(peak() - before)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 100_000  # KiB


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_a_few_samples_are_enough(size: int) -> None:
    """Each length gives ceil(n * ratio) samples, and none at all gives none."""
    assert len(resample(np.ones(size, np.float32), 8_000, RATE)) == int(np.ceil(size * RATE / 8_000))
    assert len(resample(np.ones(0, np.float32), 8_000, RATE)) == 0


def test_what_the_new_rate_cannot_hold_is_taken_away() -> None:
    """A tone above half the new rate is not aliased."""
    high = tone(rate=48_000, pitch=15_000).astype(np.float32)
    assert np.abs(resample(high, 48_000, 16_000)[1_000:-1_000]).max() < 1e-4


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000, 96_000])
def test_a_bandwidth_is_that_of_every_recording(rate: int) -> None:
    """Nothing is left above it, also where no resampling was needed, and what is below stays."""
    data = sound(noise(rate), rate)
    plain, narrow = decode_audio(data), decode_audio(data, bandwidth=9_000.0)
    assert len(narrow) == len(plain)
    assert level_above(narrow, 9_050) < -80
    low = decode_audio(sound(tone(rate=rate, pitch=1_000), rate), bandwidth=9_000.0)
    np.testing.assert_allclose(low[500:-500], tone(pitch=1_000)[500:-500], atol=1e-3)


def test_a_bandwidth_of_half_the_rate_changes_nothing() -> None:
    """It is all that the rate holds."""
    samples = noise(RATE)[:, 0].astype(np.float32)
    assert np.array_equal(resample(samples, RATE, RATE, RATE / 2), samples)


@pytest.mark.parametrize("bandwidth", [0.0, -1.0, 22_051.0, float("nan")])
def test_an_impossible_bandwidth_is_refused(bandwidth: float) -> None:
    """A rate holds half of it."""
    with pytest.raises(ValueError, match="expected more than 0 and at most half of 44100 Hz"):
        resample(np.zeros(10, np.float32), RATE, RATE, bandwidth)


def test_decoding_needs_no_torch() -> None:
    """Worker processes decode without it."""
    script = (
        "import sys; import numpy as np; from tasks.media import audio, image, text\n"
        "from tests.encoders.media import ffmpeg_sound, sound, tone\n"
        "for data in (sound(tone(rate=48_000), 48_000), ffmpeg_sound(tone(), 'mp4')): audio.decode_audio(data)\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'torch', 'torchaudio', 'librosa'}))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
