"""How items that nobody has taken yet get places in lists: a policy with one number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from tasks.errors import BadInput

Kind = Literal["off", "share", "calibrated"]


@dataclass(frozen=True)
class Policy:
    """`off`: no arrivals. `share`: at most `number` (0 to 1) of the places of every list, rounded down.

    `calibrated`: places go to the arrivals for which they are worth most, over all users, until the NDCG of known
    items is expected to be `number` percent lower (`exchange.py`).
    """

    kind: Kind
    number: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise BadInput(f"arrivals {self.kind!r} found, expected one of {', '.join(get_args(Kind))}")
        if self.kind == "share" and not 0 <= self.number <= 1:
            raise BadInput(f"a share of {self.number:g} for arrivals found, expected one from 0 to 1")


# One percent is less than the choice of another good model changes, and it finds 18 % (Last.fm-2k) and 6 %
# (MovieLens-1M) of what users take of arrivals, of which a list without them shows nothing (docs/results.md).
DEFAULT = Policy("calibrated", 1.0)
