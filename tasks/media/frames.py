"""Walks the frames of a sound that has no container: MPEG layers I to III (MP3) and AAC in ADTS.

Such a file says nowhere how long it is, except in a header of the first part that one program wrote (`xing.py`), and
other programs cut and join files without regard to it. So the frames are counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from tasks.media.parts import check_amount, check_rates
from tasks.media.tags import skip_tags, skip_zeros, start_of_tag

MOST_SEARCHED = 1 << 20  # bytes that are neither frames, tags nor zeros before the first: a search costs time
ENOUGH = 3  # frames in a row are no accident
TAG = re.compile(rb"APETAGEX|LYRICSBEGIN|ID3[\2-\4]|TAG")


class Frame(NamedTuple):
    """What the header of a frame says; frames of one `kind` follow each other."""

    size: int  # bytes
    samples: int
    rate: int
    channels: int
    kind: int


class Codec(NamedTuple):
    """`header`: what the first bytes of a frame can be. `parse`: those bytes -> Frame, or None."""

    name: str
    header: re.Pattern[bytes]
    length: int  # of a header
    parse: Callable[[bytes], Frame | None]


class Announcement(NamedTuple):
    """A frame without sound that announces others: where it begins, and how many it says will follow, if it does."""

    place: int
    number: int | None


FindAnnouncement = Callable[[bytes, int, int], Announcement | None]  # the first that begins from one place to another


@dataclass
class Stretch:
    """Frames behind an announcement; the first stretch of a file may have none.

    announcing: start and end of the frame that announces the others, and announced: how many, None if it does not say.
    spans: start and end of frames that follow each other without anything between.
    """

    announcing: tuple[int, int] | None = None
    announced: int | None = None
    counted: int = 0
    samples: int = 0
    channels: set[int] = field(default_factory=set)
    spans: list[tuple[int, int]] = field(default_factory=list)

    def count(self, place: int, frame: Frame) -> None:
        """Add a frame of sound."""
        self.counted += 1
        self.samples += frame.samples
        self.channels.add(frame.channels)
        if self.spans and self.spans[-1][1] == place:
            self.spans[-1] = (self.spans[-1][0], place + frame.size)
        else:
            self.spans.append((place, place + frame.size))


@dataclass
class Walk:
    """What was found. lost: bytes that are neither frames nor tags. cut: the last frame is not whole."""

    rate: int = 0
    stretches: list[Stretch] = field(default_factory=lambda: [Stretch()])
    lost: int = 0
    cut: bool = False

    @property
    def size(self) -> int:
        """Bytes of all frames of sound."""
        return sum(end - start for stretch in self.stretches for start, end in stretch.spans)


def find_first(data: bytes, codec: Codec) -> int | None:
    """Return where the frames begin: behind tags, zeros, and up to MOST_SEARCHED other bytes. None without frames."""
    place = skip_tags(data, 0)
    place = skip_tags(data, skip_zeros(data, place))
    return _search(data, place, codec, MOST_SEARCHED)


def walk(data: bytes, first: int, codec: Codec, announcement: FindAnnouncement = lambda *_: None) -> Walk:
    """Walk all frames from `first` on.

    Raises BadMedia for several rates, and for too much sound as soon as it is known.
    """
    found, place, kind, samples = Walk(), first, 0, 0
    while place < len(data):
        frame = parse(data, place, codec)
        if frame is None or (frame.kind != kind and not is_sure(data, place, codec)):
            after, lost = _find_next(data, place, codec, MOST_SEARCHED - found.lost)
            found.lost += lost
            if after is None:
                break
            place = after
            continue
        if place + frame.size > len(data):
            found.cut = True
            break
        told = announcement(data, place, place + frame.size)
        if told is not None and told.place > place:  # the part before was cut off within its last frame
            found.lost += told.place - place
            place = told.place
            continue
        kind = frame.kind
        found.rate = check_rates(found.rate, frame.rate)
        if told is not None:
            found.stretches.append(Stretch((place, place + frame.size), told.number))
        else:
            found.stretches[-1].count(place, frame)
            samples += frame.samples
            check_amount(found.rate, samples)
        place += frame.size
    return found


def parse(data: bytes, place: int, codec: Codec) -> Frame | None:
    """Return what the header at `place` says, or None."""
    head = data[place : place + codec.length]
    return _parse(codec, head) if len(head) == codec.length else None


@lru_cache(maxsize=1 << 12)
def _parse(codec: Codec, head: bytes) -> Frame | None:
    return codec.parse(head) if codec.header.match(head) else None


def is_sure(data: bytes, place: int, codec: Codec) -> bool:
    """Whether ENOUGH frames of one kind follow each other from here, or fewer up to the end of the file or a tag."""
    first = parse(data, place, codec)
    frame, count = first, 0
    while frame is not None and first is not None and frame.kind == first.kind:
        place, count = place + frame.size, count + 1
        if count == ENOUGH or place == len(data) or skip_tags(data, place) > place:
            return True
        frame = parse(data, place, codec)
    return False


def _find_next(data: bytes, place: int, codec: Codec, most: int) -> tuple[int | None, int]:
    """Return where frames go on, None if they do not, and how many bytes before that are neither frames nor a tag."""
    behind = skip_tags(data, place)
    after = _search(data, max(behind, place + 1), codec, most)
    if behind > place:
        return after, 0
    end = len(data) if after is None else after
    tag = TAG.search(data, place, end)
    return after, (end if tag is None else max(start_of_tag(data, tag.start()), place)) - place


def _search(data: bytes, place: int, codec: Codec, most: int) -> int | None:
    """Return the first place from `place` on, of `most` bytes, where frames follow each other."""
    end = min(len(data), place + max(most, 0) + codec.length)
    while (match := codec.header.search(data, place, end)) is not None:
        if is_sure(data, match.start(), codec):
            return match.start()
        place = match.start() + 1
    return None
