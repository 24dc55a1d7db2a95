"""A value that is derived from parameters or data, and forgotten when it may be stale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from torch import nn

T = TypeVar("T")


class Kept(nn.Module, Generic[T]):
    """Computes a value once. It is forgotten when the model moves to another device and, unless `constant`, whenever

    the model is switched to training or to scoring: between two switches of scoring no parameter changes.
    """

    def __init__(self, *, constant: bool = False) -> None:
        super().__init__()
        self.constant = constant
        self._value: T | None = None

    def forward(self, compute: Callable[[], T]) -> T:
        """The kept value, or that of `compute`."""
        if self._value is None:
            self._value = compute()
        return self._value

    def train(self, mode: bool = True) -> Kept[T]:
        """Forget what parameters have given."""
        if not self.constant:
            self._value = None
        return super().train(mode)

    def _apply(self, fn: Callable[..., object], recurse: bool = True) -> Kept[T]:
        self._value = None
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self
