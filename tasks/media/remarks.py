"""What decoders notice about a medium that can be used: that it has hardly anything in it, or how far up it reaches."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

SILENT, BLANK, SHORT, OPPOSITE = "silent", "blank", "short", "opposite in phase"
LIMITED = "limited to "  # so many kHz: no fault by itself, but where some sounds of a catalogue are and others are not
QUIETEST = 1e-3  # root mean square of samples whose full scale is 1: 60 dB below it
CANCELLED = 0.01  # of the power of the channels is left in their mean: of 32, of which one sounds, a 32nd is
PLAINEST = 2.0  # standard deviation of a picture's levels of 0 to 255: compression alone gives one colour up to 1
STRIDE = 4  # of the pixels that are looked at first
SHORTEST = 5  # letters and digits of a text
SEPARATOR = ", "
_said: ContextVar[list[str] | None] = ContextVar("remarks", default=None)


@contextmanager
def remarks() -> Iterator[list[str]]:
    """Yield the list of what is remarked on in the block, in this thread."""
    said: list[str] = []
    token = _said.set(said)
    try:
        yield said
    finally:
        _said.reset(token)


def remark_on_sound(power: float, channels: float) -> None:
    """Remark on a sound that nobody hears. power: mean square of the mono samples; channels: that of all channels."""
    if power < QUIETEST**2:
        _remark(SILENT)
    if channels >= QUIETEST**2 and power < CANCELLED * channels:
        _remark(OPPOSITE)


def remark_on_edge(edge: float, whole: float) -> None:
    """Remark on a sound that ends at `edge` Hz where others may reach `whole` Hz: in steps of half an octave.

    The steps are coarse, so that recordings of one rate and codec have one: of 22 kHz 16, 11, 7.8, 5.5, 3.9 and 2.8.
    """
    steps = round(2 * math.log2(whole / edge))
    if steps > 0:
        _remark(f"{LIMITED}{whole / 2 ** (steps / 2) / 1000:.2g} kHz")


def split_remarks(remark: str) -> list[str]:
    """Return the single remarks on a medium."""
    return [word for word in remark.split(SEPARATOR) if word]


def join_remarks(said: Iterable[str]) -> str:
    """Return all that was said about a medium, each once."""
    return SEPARATOR.join(dict.fromkeys(said))


def is_odd(remark: str) -> bool:
    """Whether a medium has hardly anything in it."""
    return any(not word.startswith(LIMITED) for word in split_remarks(remark))


def remark_on_picture(pixels: np.ndarray) -> None:
    """Remark on pixels (height, width, 3) of one colour."""
    some = pixels[::STRIDE, ::STRIDE]  # their squares are a part of the sum over all, which takes longer than decoding
    least = float(some.std(axis=(0, 1)).max()) * math.sqrt(some.size / pixels.size)
    if least < PLAINEST and float(pixels.std(axis=(0, 1)).max()) < PLAINEST:
        _remark(BLANK)


def remark_on_text(text: str) -> None:
    """Remark on a text of a word or less."""
    if sum(map(str.isalnum, text)) < SHORTEST:
        _remark(SHORT)


def _remark(word: str) -> None:
    if (said := _said.get()) is not None:  # else nobody asks: a decoder is called by itself
        said.append(word)
