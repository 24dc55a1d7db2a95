"""Whole rows of a delimited text, for Arrow: quotes are checked, and each row is one line of bounded length.

Arrow takes a misplaced quote for a letter and an open one for the begin of a value that lasts for thousands of rows;
and it reads no row that is longer than one of its blocks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from tasks.errors import BadInput

QUOTE, NEWLINE, RETURN = 0x22, 0x0A, 0x0D
INNER = 0x0B  # in place of a line end within quotes: a control character too, so that no id with one becomes another
LONGEST_ROW = 64 << 20  # bytes
BLOCK = 1 << 20  # bytes that are looked at together: as many positions as a cache holds
LONG_LINE = 1 << 19  # bytes; half of a block of Arrow
KEPT = 2048  # bytes of a value in a long line: more than 255 characters, so that no id becomes another
LONG_ID = 6  # bytes: of that length, without a blank, and equal in it to the row's own, a word is likely to be an id
BLANK = re.compile(rb"\s")
RUNS = re.compile(rb"[0-9]+|[A-Za-z\x80-\xff]+")


@dataclass
class Rows:
    """How a text of so many `columns` is split: by `separator`, `quoted` if it knows quotes (RFC 4180).

    `places`: columns of ids; a quoted value whose lines have ids there, written as in its own row, has swallowed rows.
    `strict`: each row must have as many columns; Arrow checks this too, but does not say where. `whole`: a row is not
    shortened but refused if it is too long for Arrow.
    """

    name: str
    separator: str
    columns: int
    quoted: bool = True
    places: tuple[int, ...] = ()
    strict: bool = False
    whole: bool = False
    _line: int = field(default=1, init=False)  # of the first byte that has not been given out

    def split(self, chunks: Iterator[bytes]) -> Iterator[bytes | memoryview]:
        """Yield the same rows, one a line, in pieces that end with a row. Raises BadInput with the line of a fault."""
        rest = b""
        for chunk in chunks:
            plain = not self.strict and not (self.quoted and (b'"' in chunk or b'"' in rest))
            end = chunk.rfind(b"\n") + 1
            if plain and end:
                yield from self._plain(rest, chunk, end)
                rest = chunk[end:]
            else:
                place = 0
                while place < len(chunk):
                    size = max(BLOCK, len(rest))  # a row that goes on and on is looked at a few times only
                    rest, place = rest + chunk[place : place + size], place + size
                    if end := self._end_of_rows(rest):
                        yield self._check(rest[:end])
                        rest = rest[end:]
            if len(rest) > LONGEST_ROW:
                what = "a quote that is not closed" if self.quoted and b'"' in rest else "a row that does not end"
                raise BadInput(f"line {self._line} of {self.name} has {what} within {LONGEST_ROW} bytes, expected rows")
        if rest:
            rest += b"" if rest.endswith(b"\n") else b"\n"
            if self._end_of_rows(rest) < len(rest):
                closed = rest + b'"\n'
                self._check_quotes(closed, np.frombuffer(closed, np.uint8), _places(closed, QUOTE))
                raise self._fault(rest, self._opened(rest), "a quote that is not closed")
            yield self._check(rest)

    def _plain(self, rest: bytes, chunk: bytes, end: int) -> Iterator[bytes | memoryview]:
        """Yield `rest` and `chunk[:end]`, in which are no quotes."""
        if len(rest) + chunk.index(b"\n") > LONG_LINE or _has_long_line(chunk, end):
            yield self._shorten(rest + chunk[:end])
        else:
            yield rest
            yield memoryview(chunk)[:end]
        self._line += chunk.count(b"\n")

    def _end_of_rows(self, data: bytes) -> int:
        """Return where the last whole row ends: behind a line end outside quotes."""
        end = data.rfind(b"\n") + 1
        if not self.quoted:
            return end
        quotes = data.count(b'"', 0, end)
        while end and quotes % 2:
            before = data.rfind(b"\n", 0, end - 1) + 1
            quotes -= data.count(b'"', before, end)
            end = before
        return end

    def _opened(self, data: bytes) -> int:
        """Return the place of the last quote that opens a value."""
        quotes = _places(data, QUOTE)
        again = np.r_[False, quotes[1::2][: len(quotes[2::2])] + 1 == quotes[2::2]]  # twice within a value
        return int(quotes[0::2][~again][-1])

    def _check(self, data: bytes) -> bytes:
        """Return whole rows, checked, with no line end in a row."""
        codes, lines = np.frombuffer(data, np.uint8), _places(data, NEWLINE)
        quotes = _places(data, QUOTE) if self.quoted else np.empty(0, np.int64)
        self._check_quotes(data, codes, quotes)
        within = np.searchsorted(quotes, lines) % 2 == 1
        if self.strict:
            self._check_columns(data, codes, quotes)
        if within.any():
            self._check_swallowed(data, lines[~within], lines[within])
            returns = _places(data, RETURN)
            changed = codes.copy()
            changed[lines[within]] = INNER
            changed[returns[np.searchsorted(quotes, returns) % 2 == 1]] = INNER
            data = changed.tobytes()
        data = self._shorten(data) if _has_long_line(data, len(data)) else data
        self._line += len(lines)
        return data

    def _check_quotes(self, data: bytes, codes: np.ndarray, quotes: np.ndarray) -> None:
        """Of quotes in turn the first opens and the second closes; one that is written twice closes and opens."""
        opening, closing = quotes[0::2], quotes[1::2]
        edges = np.zeros(256, dtype=bool)
        edges[[ord(self.separator), NEWLINE, RETURN]] = True
        twice = closing[:-1] + 1 == opening[1:]
        begins, stops = edges[codes[opening - 1]] | (opening == 0), edges[codes[closing + 1]]
        begins[1:] |= twice
        stops[:-1] |= twice
        wrong = np.concatenate([opening[~begins], closing[~stops]])
        if not len(wrong):
            return
        first: int = wrong.min().item()
        before = int(quotes[max(int(np.searchsorted(quotes, first)) - 1, 0)])
        if first in closing and b"\n" in data[before:first]:  # it opens the next value, and the last was never closed
            raise self._fault(data, before, "a quote that is not closed")
        raise self._fault(data, first, "a quote within a value")

    def _check_columns(self, data: bytes, codes: np.ndarray, quotes: np.ndarray) -> None:
        marks, ends = _places(data, ord(self.separator)), np.flatnonzero((codes == NEWLINE) | (codes == RETURN))
        marks, ends = (places[np.searchsorted(quotes, places) % 2 == 0] for places in (marks, ends))
        found = np.diff(np.searchsorted(marks, ends), prepend=0) + 1
        starts = np.r_[0, ends[:-1] + 1]
        wrong = np.flatnonzero((found != self.columns) & (ends > starts))
        if len(wrong):
            line = self._line + data.count(b"\n", 0, int(starts[wrong[0]]))
            raise BadInput(
                f"line {line} of {self.name} has {found[wrong[0]]} columns, expected {self.columns} in each row"
            )

    def _check_swallowed(self, data: bytes, ends: np.ndarray, inner: np.ndarray) -> None:
        """Raise BadInput for a quoted value with a line in it that looks like a row."""
        if not self.places:
            return
        bounds = np.r_[0, ends + 1]
        for row in np.unique(np.searchsorted(ends, inner)).tolist():
            first, *others = data[bounds[row] : bounds[row + 1]].removesuffix(b"\n").split(b"\n")
            own, suspects = self._ids(first), others
            if not own:  # the ids stand behind the value
                *suspects, last = first, *others
                own = self._ids(last, from_end=True)
            if own and any(_are_alike(own, self._ids_of_row(line)) for line in suspects):
                place = int(bounds[row])
                raise self._fault(data, place, "a quoted value with rows in it, as an open quote makes them")

    def _ids(self, line: bytes, *, from_end: bool = False) -> list[bytes]:
        """Return the ids of a line, if it goes as far."""
        values = line.split(self.separator.encode())
        places = [place - self.columns * from_end for place in self.places]
        if (-min(places) if from_end else max(places) + 1) > len(values):
            return []
        return [values[place].strip(b'"\r') for place in places]

    def _ids_of_row(self, line: bytes) -> list[bytes]:
        """Return the ids of a line, if it has the columns of a row."""
        return self._ids(line) if line.count(self.separator.encode()) == self.columns - 1 else []

    def _shorten(self, data: bytes) -> bytes:
        """Return rows without the rest of long values in long lines: they are no ids, and nobody reads them."""
        if self.whole:
            self._refuse_long(data)
        mark = re.escape(self.separator.encode())
        value = rb'"(?:[^"]|"")*"' if self.quoted else rb"(?!)"
        values = re.compile(rb"(" + value + rb")|[^" + mark + rb"\n]+")

        def cut(found: re.Match[bytes]) -> bytes:
            text = found[0]
            if len(text) <= KEPT:
                return text
            kept = text[1 : KEPT + 1] if found[1] else text[:KEPT]
            kept = kept.replace(b'"', b"'").decode("utf-8", "ignore").encode()  # a letter may have been cut in two
            return b'"' + kept + b'"' if found[1] else kept

        lines = data.split(b"\n")
        return b"\n".join(values.sub(cut, line) if len(line) > LONG_LINE else line for line in lines)

    def _refuse_long(self, data: bytes) -> None:
        """Raise BadInput with the line of the first row that is too long; a line end in quotes is INNER by now."""
        line = self._line
        for row in data.split(b"\n"):
            if len(row) > LONG_LINE:
                raise BadInput(
                    f"line {line} of {self.name} has {len(row)} bytes, expected rows of at most {LONG_LINE} bytes"
                )
            line += 1 + row.count(bytes([INNER]))

    def _fault(self, data: bytes, place: int, what: str) -> BadInput:
        line = self._line + data.count(b"\n", 0, place)
        return BadInput(
            f"line {line} of {self.name} has {what}, expected quotes around whole values, and two for one in them "
            "(RFC 4180)"
        )


def _places(data: bytes, code: int) -> np.ndarray:
    return np.flatnonzero(np.frombuffer(data, np.uint8) == code)


def _has_long_line(data: bytes, end: int) -> bool:
    """Whether a line of `data[:end]`, which ends with one, is longer than LONG_LINE."""
    place = 0
    while place + LONG_LINE < end:
        found = data.rfind(b"\n", place, place + LONG_LINE)
        if found < 0:
            return True
        place = found + 1
    return False


def _are_alike(ids: list[bytes], others: list[bytes]) -> bool:
    """Whether ids are written alike: in the same order of letters and digits, as u17 and u2, or long and of one length.

    What stands between the commas of a sentence begins with a blank.
    """
    return len(ids) == len(others) and all(
        _shape(one) == _shape(other) or (len(one) == len(other) >= LONG_ID and not BLANK.search(other))
        for one, other in zip(ids, others, strict=True)
    )


def _shape(text: bytes) -> bytes:
    return RUNS.sub(lambda run: b"0" if run[0].isdigit() else b"a", text)
