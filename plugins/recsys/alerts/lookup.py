"""Facts for an email that is sent also without them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass
class LookUp:
    """Finds facts; `gaps` has those that could not be found, and why."""

    gaps: list[str] = field(default_factory=list)

    def __call__(self, what: str, missing: T, find: Callable[..., T], *arguments: object) -> T:
        """Return `find(*arguments)`, or `missing` if it raises."""
        try:
            return find(*arguments)
        except Exception as error:
            log.exception("could not find out %s", what)
            self.gaps.append(f"{what} ({type(error).__name__}: {error})")
            return missing
