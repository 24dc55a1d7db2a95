"""Progress on standard output: a live bar on a terminal, a line every ten seconds in a log."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sized
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

T = TypeVar("T")


def progress(iterable: Iterable[T], *, label: str, total: int | None = None, unit: str = "it") -> Iterable[T]:
    """Yield the elements of `iterable` unchanged and show the progress; of nothing there is none to show."""
    if (len(iterable) if total is None and isinstance(iterable, Sized) else total) == 0:
        return iterable
    live = sys.stdout.isatty()
    return tqdm(
        iterable,
        desc=label,
        total=total,
        unit=unit,
        file=sys.stdout,
        dynamic_ncols=live,
        mininterval=0.2 if live else 10.0,
        maxinterval=0.5 if live else 30.0,
    )


def logs_above() -> AbstractContextManager[None]:
    """Print lines that are logged in the block above a live bar instead of into it."""
    return logging_redirect_tqdm() if sys.stdout.isatty() else nullcontext()
