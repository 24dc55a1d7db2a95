"""What a training costs: seconds, CPU seconds, and how much memory the process took more than before."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"  # proc(5)


@dataclass
class Cost:
    """`cpu` are seconds of all threads; `peak_mib` is the largest resident memory minus that at the start.

    `peak_mib` is None where the system does not tell it, as outside Linux.
    """

    seconds: float = 0.0
    cpu: float = 0.0
    peak_mib: float | None = None


@contextmanager
def measure_cost() -> Iterator[Cost]:
    """Measure the block; its cost is known when it has ended."""
    cost, before = Cost(), _reset_peak()
    start, used = time.perf_counter(), time.process_time()
    yield cost
    cost.seconds = round(time.perf_counter() - start, 3)
    cost.cpu = round(time.process_time() - used, 3)
    peak = _read("VmHWM")
    if before is not None and peak is not None:
        cost.peak_mib = round(max(peak - before, 0.0), 1)


def _reset_peak() -> float | None:
    """Resident memory in MiB, from which the peak is counted anew."""
    try:
        CLEAR.write_text(RESET_PEAK, encoding="ascii")
    except OSError:
        return None
    return _read("VmRSS")


def _read(name: str) -> float | None:
    try:
        line = re.search(rf"^{name}:\s+(\d+) kB$", STATUS.read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        return None
    return int(line[1]) / 1024 if line else None
