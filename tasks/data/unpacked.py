"""The bytes of a text file, unpacked as they are read: gzip, the byte order mark, and line ends of old Macs."""

from __future__ import annotations

import gzip
import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tasks.errors import BadInput
from tasks.progress import progress

LARGEST = 64 << 30  # bytes of an unpacked log
CHUNK = 16 << 20
LONGEST_LINE = 1 << 16  # bytes of a header, and of a line of .dat
GZIP, MARK = b"\x1f\x8b", b"\xef\xbb\xbf"


@contextmanager
def unpack(path: Path, name: str, *, visible: bool = False) -> Iterator[Iterator[bytes]]:
    """Yield the unpacked bytes of a file in chunks, as UTF-8 without its mark and with line ends of one kind.

    A file of several gzip members is read whole. Raises EOFError or gzip.BadGzipFile for one that was cut, and BadInput
    beyond LARGEST bytes. `visible`: progress is shown.
    """
    with path.open("rb") as raw:
        packed = raw.read(len(GZIP)) == GZIP
        raw.seek(0)
        chunks = _read(name, gzip.GzipFile(fileobj=raw) if packed else raw)
        if visible and path.stat().st_size > 4 * CHUNK:
            total = None if packed else math.ceil(path.stat().st_size / CHUNK)
            chunks = iter(progress(chunks, label=f"reading {name}", total=total, unit="block"))
        yield _even_lines(chunks)


def replace_colons(name: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield whole lines with `::` replaced by tabs, so that Arrow can split them."""
    rest = b""
    for chunk in chunks:
        lines, newline, rest = (rest + chunk).rpartition(b"\n")
        if len(rest) > LONGEST_LINE:
            raise BadInput(f"{name} has a line of more than {LONGEST_LINE} bytes, expected ids, rating and time")
        yield lines.replace(b"::", b"\t") + newline
    yield rest.replace(b"::", b"\t")


def _read(name: str, file: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    size = 0
    while chunk := file.read(CHUNK):
        size += len(chunk)
        if size > LARGEST:
            raise BadInput(f"{name} unpacks to more than {LARGEST} bytes, expected at most that")
        yield chunk


def _even_lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Make carriage returns line feeds where the first lines end with nothing else; `\\r\\n` stays."""
    first = next(chunks, b"").removeprefix(MARK)
    start = first[:LONGEST_LINE]
    alone = b"\r" in start[:-1] and b"\n" not in start
    yield first.replace(b"\r", b"\n") if alone else first
    for chunk in chunks:
        yield chunk.replace(b"\r", b"\n") if alone else chunk


class Stream(io.RawIOBase):
    """A readable file from chunks of bytes."""

    def __init__(self, chunks: Iterator[bytes | memoryview]) -> None:
        super().__init__()
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # the stub has a private type
        """Fill the buffer as far as the current chunk goes."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
