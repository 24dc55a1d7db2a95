"""Decoding in processes of their own: a file that crashes its decoder, fills the memory or never ends harms no other.

pebble and not `concurrent.futures`, whose pool is broken, with all that is in it, by one process that dies.
"""

from __future__ import annotations

import multiprocessing
import resource
import signal
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from pebble import ProcessExpired, ProcessPool

from tasks.media import BadMedia
from tasks.media.remarks import remarks

PROCESSES = 2
MEMORY = 4 << 30  # bytes of address space: twenty minutes of sound take a tenth of it
SECONDS = 300.0  # for one file: a hundred times what the largest take
TRIES = 2  # what ends a process may have come from outside

Decode = Callable[[bytes], object]


class Workers:
    """`run` decodes a file in one of the processes, which start with the first and end with the block."""

    def __init__(self) -> None:
        self._pool: Any = ProcessPool(
            max_workers=PROCESSES,
            context=multiprocessing.get_context("spawn"),  # threads of this process may hold locks that a fork copies
            initializer=confine,
            initargs=(MEMORY,),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._pool.stop() if error is not None else self._pool.close()
        self._pool.join()

    def run(self, decode: Decode, data: bytes) -> tuple[object, list[str]]:
        """Return what `decode` gives, and its remarks. Raises BadMedia also if it ends its process, twice."""
        reason = ""
        for _ in range(TRIES):
            future = self._pool.schedule(work, (decode, data), timeout=SECONDS)
            try:
                found: tuple[object, list[str]] = future.result()
            except ProcessExpired as error:
                reason = f"its decoder {ending_of(error.exitcode)}"
            except TimeoutError:
                reason = f"not decoded within {SECONDS:.0f} seconds"
            except MemoryError:
                reason = f"needs more than {MEMORY >> 30} GiB of memory to be decoded"
            else:
                return found
        raise BadMedia(reason)


def work(decode: Decode, data: bytes) -> tuple[object, list[str]]:
    """Decode, with what is remarked on."""
    with remarks() as said:
        return decode(data), said


def confine(memory: int) -> None:
    """Limit this process, and let the one that started it be the one that is interrupted."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def ending_of(code: int) -> str:
    """Say how a process ended."""
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
