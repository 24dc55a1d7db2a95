"""Search spaces of hyperparameters: ranges of numbers or choices. Independent of the optimiser."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce
from typing import Any

from pydantic import BaseModel


@dataclass(frozen=True)
class Real:
    """A real number in [`low`, `high`]; with `log` uniform in the logarithm."""

    low: float
    high: float
    log: bool = False

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high


@dataclass(frozen=True)
class Whole:
    """An integer in [`low`, `high`]; with `log` uniform in the logarithm."""

    low: int
    high: int
    log: bool = False

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int) and self.low <= value <= self.high


@dataclass(frozen=True)
class Choice:
    """One of some values."""

    values: tuple[int | float | str, ...]

    def __contains__(self, value: object) -> bool:
        return value in self.values


Range = Real | Whole | Choice
Space = Mapping[str, Range]  # hyperparameter -> range; a dot separates the key of a nested config


def widen(within: Range, value: object) -> Range | None:
    """Return the range extended to include `value`; None if impossible: not a number, 0 on a log scale, no choice."""
    if value in within:
        return within
    if isinstance(within, Choice) or not isinstance(value, int | float) or (within.log and value <= 0):
        return None
    low, high = min(within.low, value), max(within.high, value)
    wider = Real(low, high, within.log) if isinstance(within, Real) else Whole(int(low), int(high), within.log)
    return wider if value in wider else None


def declared_space(config: type[BaseModel]) -> Space:
    """The ranges that stand in the annotations of a config's fields, those of its bases where a field has none."""
    ranges = {}
    for base in reversed(config.__mro__):
        for name, field in getattr(base, "model_fields", {}).items():
            for part in field.metadata:
                if isinstance(part, Range):
                    ranges[name] = part
    return {name: ranges[name] for name in config.model_fields if name in ranges}


def prefix_space(key: str, space: Space) -> dict[str, Range]:
    """Return the space for a config that is nested under `key`."""
    return {f"{key}.{name}": within for name, within in space.items()}


def place_values(values: Mapping[str, Any], drawn: Mapping[str, object]) -> dict[str, Any]:
    """Return a copy of the hyperparameters `values`, updated by `drawn`, which has dotted keys."""
    result = copy.deepcopy(dict(values))
    for key, value in drawn.items():
        *path, last = key.split(".")
        inner = result
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = value
    return result


def pick_values(values: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """Return the entries of the hyperparameters `values` for the dotted keys of `space`; missing keys are left out."""
    entries = {}
    for key in space:
        with suppress(KeyError):
            entries[key] = reduce(lambda inner, part: inner[part], key.split("."), values)
    return entries
