"""Waiting for what happens elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

DEADLINE = 1200.0  # seconds; a night takes a tenth of it, but on a machine that others use as well, who knows
T = TypeVar("T")


def wait_for(what: str, look: Callable[[], T], *, deadline: float = DEADLINE, explain: Callable[[], object] = str) -> T:
    """What `look` finds as soon as it finds something; when it finds nothing, `explain` is asked why."""
    end = time.monotonic() + deadline
    while not (found := look()):
        assert time.monotonic() < end, f"waited {deadline:.0f} s in vain for {what} {explain()}"
        time.sleep(0.3)
    return found
