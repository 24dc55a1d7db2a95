"""How the C library hands out memory while a model is trained."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

# Numbers of <malloc.h> of the GNU C library. What the library ends with when tensors of megabytes come and go: told
# anything, it no longer raises its thresholds by itself (mallopt(3)).
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4
USUAL = {M_MMAP_THRESHOLD: 2**25, M_TRIM_THRESHOLD: 2**26, M_MMAP_MAX: 65536}
KEEPING = {M_TRIM_THRESHOLD: 2**31 - 1, M_MMAP_MAX: 0}


@contextmanager
def kept_memory() -> Iterator[None]:
    """Run the block with freed memory kept for what is allocated next, and give it back to the system at the end.

    Without this the system maps, or takes back and gives anew, what a step of a large batch allocates, and clears its
    pages before the first use: up to two fifths of the step. Only the GNU C library is told; elsewhere nothing changes.
    After the block it keeps and returns as much as it does by itself in a process that has long worked with tensors,
    without what MALLOC_ variables of the environment may have said.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    library = ctypes.CDLL(None)
    _tell(library, KEEPING)
    try:
        yield
    finally:
        _tell(library, USUAL)
        library.malloc_trim(0)


def _tell(library: ctypes.CDLL, options: dict[int, int]) -> None:
    for option, value in options.items():
        library.mallopt(option, value)
