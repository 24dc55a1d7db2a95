"""What decoders notice about a medium that can be used and has hardly anything in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

SILENT, BLANK, SHORT = "silent", "blank", "short"
QUIETEST = 1e-3  # root mean square of samples whose full scale is 1: 60 dB below it
PLAINEST = 2.0  # standard deviation of a picture's levels of 0 to 255: compression alone gives one colour up to 1
SHORTEST = 5  # letters and digits of a text
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


def remark_on_sound(samples: np.ndarray) -> None:
    """Remark on samples (n,) that nobody hears."""
    if float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) < QUIETEST:
        _remark(SILENT)


def remark_on_picture(pixels: np.ndarray) -> None:
    """Remark on pixels (height, width, 3) of one colour."""
    if float(pixels.std(axis=(0, 1)).max()) < PLAINEST:
        _remark(BLANK)


def remark_on_text(text: str) -> None:
    """Remark on a text of a word or less."""
    if sum(map(str.isalnum, text)) < SHORTEST:
        _remark(SHORT)


def _remark(word: str) -> None:
    if (said := _said.get()) is not None:  # else nobody asks: a decoder is called by itself
        said.append(word)
