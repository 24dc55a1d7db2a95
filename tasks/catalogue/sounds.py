"""Synthesises a few seconds of music per film: timbre from the genre, notes per second from the tempo, pitch and scale
from the mood, background from the setting."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import numpy as np
import soundfile

from tasks.catalogue.world import Film
from tasks.media.ogg import page_checksum

RATE = 44_100  # samples per second
Voice = Callable[[float, np.ndarray, np.random.Generator], np.ndarray]  # (hertz, seconds (n,), noise) -> (n,)

MINOR, MAJOR = (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 5, 7, 9, 11)
SCALES = {
    "western": ((0, 3, 5, 7, 10), (0, 2, 4, 7, 9)),
    "science fiction": ((0, 2, 3, 6, 8, 10), (0, 2, 4, 6, 8, 10)),
    "romance": (MINOR, MAJOR),
    "horror": ((0, 1, 3, 6, 7), (0, 1, 4, 6, 9)),
    "seafaring": ((0, 2, 3, 5, 7, 9, 10), (0, 2, 4, 5, 7, 9, 10)),
    "carnival": ((0, 2, 3, 5, 7, 8, 11), MAJOR),
}


def _partials(hertz: float, t: np.ndarray, weights: tuple[float, ...], decay: float) -> np.ndarray:
    """Return a sum of harmonics; higher ones decay faster."""
    wave, damping = np.zeros_like(t), np.exp(-0.4 * decay * t)
    envelope = np.exp(-0.6 * decay * t)
    for order, weight in enumerate(weights, start=1):
        envelope *= damping
        if order * hertz < RATE / 2:
            wave += weight * np.sin(2 * np.pi * order * hertz * t) * envelope
    return wave


def _guitar(hertz: float, t: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    pick = rng.standard_normal(len(t)) * np.exp(-t * 400)
    return np.asarray(_partials(hertz, t, (1.0, 0.7, 0.5, 0.35, 0.25, 0.15), 3.5) + 0.3 * pick)


def _synthesiser(hertz: float, t: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    index = 3.0 * np.exp(-2.5 * t) + rng.uniform(0.5, 1.5)
    return np.asarray(np.sin(2 * np.pi * hertz * t + index * np.sin(2 * np.pi * hertz * 2.41 * t)) * np.exp(-0.8 * t))


def _strings(hertz: float, t: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    vibrato = 0.12 * np.sin(2 * np.pi * rng.uniform(4.5, 6.0) * t)
    swell = np.minimum(t / 0.12, 1.0)
    wave = sum(np.sin(order * (2 * np.pi * hertz * t + vibrato)) / order**1.6 for order in (1, 2, 3, 4))
    return np.asarray(wave * swell)


def _drone(hertz: float, t: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    low, beat = hertz / 2, rng.uniform(1.0, 5.0)
    wave = np.sin(2 * np.pi * low * t) + np.sin(2 * np.pi * (low + beat) * t)
    wave += 0.5 * np.sin(2 * np.pi * low * 1.414 * t)  # a tritone above
    breath = _filter_noise(rng, len(t), 300.0) * np.minimum(t, 1.0)
    return np.asarray(0.6 * wave + 0.5 * breath)


def _accordion(hertz: float, t: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    tremolo = 1 + 0.3 * np.sin(2 * np.pi * rng.uniform(5.5, 7.0) * t)
    reed = _partials(hertz, t, (1.0, 0.1, 0.6, 0.08, 0.4, 0.05, 0.25), 0.1)
    return np.asarray(reed * tremolo * np.minimum(t / 0.05, 1.0))


def _music_box(hertz: float, t: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    bell = np.sin(4 * np.pi * hertz * t) + 0.5 * np.sin(2 * np.pi * hertz * 5.4 * t) * np.exp(-9 * t)
    drum = _filter_noise(rng, len(t), 6_000.0) * np.exp(-60 * t)
    return np.asarray(bell * np.exp(-7 * t) + 0.4 * drum)


VOICES: dict[str, Voice] = {
    "western": _guitar,
    "science fiction": _synthesiser,
    "romance": _strings,
    "horror": _drone,
    "seafaring": _accordion,
    "carnival": _music_box,
}


def _filter_noise(rng: np.random.Generator, size: int, centre: float) -> np.ndarray:
    """Noise of unit variance around `centre` hertz, about an octave wide: (size,)."""
    padded = -(-size // 4096) * 4096  # the transform of a size with a large prime factor takes ten times as long
    spectrum = np.fft.rfft(rng.standard_normal(padded))
    hertz = np.fft.rfftfreq(padded, 1 / RATE)
    spectrum *= np.exp(-0.5 * (np.log2(np.maximum(hertz, 1.0) / centre) / 0.5) ** 2)
    noise = np.fft.irfft(spectrum, padded)[:size]
    return np.asarray(noise / max(float(noise.std()), 1e-9))


def _melody(film: Film, genre: str, size: int, rng: np.random.Generator) -> np.ndarray:
    """Return notes of one instrument on a regular beat, as a random walk over the scale: (size,)."""
    voice, scale = VOICES[genre], SCALES[genre][int(film.mood >= 0.5)]
    step = int(RATE / (1.0 + 6.0 * film.tempo))  # samples between notes: one to seven notes per second
    base = 40 + 24 * film.mood  # MIDI number; 69 is 440 Hz
    degree, wave = int(rng.integers(len(scale))), np.zeros(size)
    for start in range(0, size, step):
        degree = int(np.clip(degree + rng.integers(-2, 3), -2, len(scale) + 3))
        octave, place = divmod(degree, len(scale))
        hertz = 440.0 * 2 ** ((base + 12 * octave + scale[place] - 69) / 12)
        length = min(int(step * 1.5), size - start)
        note = voice(hertz, np.arange(length) / RATE, rng)
        fade = min(length, RATE // 50)
        note[length - fade :] *= np.linspace(1, 0, fade)
        wave[start : start + length] += note * rng.uniform(0.7, 1.0)
    return wave


def _background(film: Film, size: int, rng: np.random.Generator) -> np.ndarray:
    """Return background sound, from a city's hum and traffic to wind and birds in the wild: (size,)."""
    t = np.arange(size) / RATE
    city = np.sin(2 * np.pi * 100 * t) * 0.5 + _filter_noise(rng, size, 180.0) * (1 + 0.5 * np.sin(2 * np.pi * 0.4 * t))
    wind = _filter_noise(rng, size, 900.0) * (0.6 + 0.4 * np.sin(2 * np.pi * rng.uniform(0.2, 0.5) * t))
    chirp = t[: int(0.15 * RATE)]
    for start in rng.integers(0, size - len(chirp), size=3):
        wind[start : start + len(chirp)] += 0.8 * np.sin(2 * np.pi * (3_000 * chirp + 8_000 * chirp**2))
    return np.asarray((1 - film.wild) * city + film.wild * wind)


def synthesise(film: Film) -> np.ndarray:
    """Return the film's sound: (samples,) float32 in [-0.8, 0.8], mono at RATE, three to four seconds."""
    rng = film.stream("sound")
    size = int(RATE * rng.uniform(3.0, 4.0))
    second, share = film.second_genre
    wave = _melody(film, film.genre, size, rng) + share * _melody(film, second, size, rng)
    wave = wave / max(float(wave.std()), 1e-9) + 0.25 * _background(film, size, rng)
    return np.asarray(0.8 * wave / np.abs(wave).max(), dtype=np.float32)


def encode_sound(sound: np.ndarray) -> bytes:
    """Return the sound as Ogg Vorbis, about 30 KB; the same sound gives the same bytes."""
    buffer = io.BytesIO()
    soundfile.write(buffer, sound, RATE, format="OGG", subtype="VORBIS", compression_level=0.8)
    return _with_serial(buffer.getvalue(), serial=1)


def _with_serial(data: bytes, serial: int) -> bytes:
    """Set the serial number of every page of an Ogg stream to `serial`; libsndfile derives one from the clock.

    A page (RFC 3533) starts with "OggS"; its serial number is at byte 14, its checksum at 22, the number of its
    segments at 26 and their lengths from 27 on.
    """
    pages, start = [], 0
    while start < len(data):
        segments = data[start + 26]
        size = 27 + segments + sum(data[start + 27 : start + 27 + segments])
        page = bytearray(data[start : start + size])
        page[14:18], page[22:26] = struct.pack("<I", serial), bytes(4)
        page[22:26] = struct.pack("<I", page_checksum(bytes(page)))
        pages.append(bytes(page))
        start += size
    return b"".join(pages)
