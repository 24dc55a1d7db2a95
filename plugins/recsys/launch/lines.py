"""Splits what a command writes into log lines, and keeps its last words."""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from collections.abc import Iterator
from typing import Any

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


class Output:
    """Logs the lines of both streams; `error` and `closing` are the last of standard error and of standard output."""

    def __init__(self, log: Any) -> None:  # noqa: ANN401  Airflow's logger of a task
        self._log = log
        self.error = self.closing = ""

    def take(self, line: str, *, error: bool) -> None:
        """Standard error becomes warnings."""
        if error:
            self.error = line
            self._log.warning("%s", line)
        else:
            self.closing = line
            self._log.info("%s", line)
