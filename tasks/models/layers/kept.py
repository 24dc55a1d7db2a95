"""A value that is derived from parameters or data, and forgotten when it may be stale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn


class Kept(nn.Module):
    """Computes a value once, until the model moves to another device or, unless `constant`, is switched.

    Switched: to training or to scoring (`nn.Module.train`). While it scores, no parameter changes.
    """

    def __init__(self, *, constant: bool = False) -> None:
        super().__init__()
        self.constant, self.value = constant, None

    def forward(self, compute: Callable[[], Any]) -> Any:  # noqa: ANN401
        """The kept value, or that of `compute`."""
        if self.value is None:
            self.value = compute()
        return self.value

    def train(self, mode: bool = True) -> Kept:
        """Forget what parameters have given."""
        self.value = self.value if self.constant else None
        return super().train(mode)

    def _apply(self, fn: Callable[..., object], recurse: bool = True) -> Kept:
        self.value = None
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self
