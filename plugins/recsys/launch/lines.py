"""Splits a stream of bytes into log lines."""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from collections.abc import Iterator

LONGEST_LINE = 65_536


class Lines:
    """Splits a stream of bytes into lines at newline or carriage return, with which progress bars end lines."""

    def __init__(self) -> None:
        self._decode = getincrementaldecoder("utf-8")(errors="backslashreplace").decode
        self._rest = ""

    def feed(self, chunk: bytes) -> Iterator[str]:
        """Yield the lines that `chunk` completes, without empty ones; an empty chunk ends the stream."""
        *lines, self._rest = re.split(r"[\r\n]+", self._rest + self._decode(chunk, final=not chunk))
        if len(self._rest) >= LONGEST_LINE or not chunk:
            lines, self._rest = [*lines, self._rest], ""
        return (line.rstrip() for line in lines if line.strip())
