"""Decoding without processes of its own: for encoders that live in a test, and tests that start many commands."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from tasks.encoders.workers import Decode, work


class InThread:
    """`tasks.encoders.workers.Workers` as far as decoders are harmless."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass

    def run(self, decode: Decode, data: bytes) -> tuple[object, list[str]]:
        """Decode here."""
        return work(decode, data)
