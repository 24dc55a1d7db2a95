"""Waiting for events in other processes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

DEADLINE = 1200.0  # seconds; a run takes a tenth of it on an idle machine
T = TypeVar("T")


def wait_for(what: str, look: Callable[[], T], *, deadline: float = DEADLINE, explain: Callable[[], object] = str) -> T:
    """Call `look` until it returns something, and return it; after `deadline` fails with the result of `explain`."""
    end = time.monotonic() + deadline
    while not (result := look()):
        assert time.monotonic() < end, f"waited {deadline:.0f} s in vain for {what} {explain()}"
        time.sleep(0.3)
    return result
