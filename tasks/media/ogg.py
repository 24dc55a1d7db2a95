"""Ogg: the links of a chain, each whole, checked page by page.

libsndfile decodes the first link only, and passes over pages that are missing or damaged. Sources: RFC 3533 (pages),
RFC 7845 (Opus), the mappings of Vorbis and FLAC to Ogg.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from tasks.media import BadMedia
from tasks.media.parts import Part, check_amount, check_rates
from tasks.media.tags import skip_tags

CAPTURE = b"OggS"
FLAC = b"\x7fFLAC"
FIRST, LAST = 2, 4  # flags of the first and the last page of a stream
NOWHERE = (1 << 64) - 1  # granule position of a page in which no packet ends
MOST_PAGES = 100_000  # one of every 12 milliseconds
OPUS_RATE = 48_000  # whatever the rate of the original
OTHERS = {b"Speex   ": "Speex", b"\x80theora": "Theora", b"\x80kate": "Kate", b"fishead": "Skeleton", b"BBCD": "Dirac"}
NO_END = "truncated, or its writer never ended it: its last page has no end flag"
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class Page(NamedTuple):
    """A page: the bytes from `start` to `end`, of which the content begins at `body`."""

    start: int
    body: int
    end: int
    flags: int
    granule: int
    serial: int
    number: int


@dataclass
class Link:
    """A stream of sound; `rate` is that of its granule positions."""

    rate: int
    number: int  # of its last page
    pages: list[Page] = field(default_factory=list)
    from_granule: int = -1
    to_granule: int = 0
    ended: bool = False


def split_ogg(data: bytes) -> list[Part]:
    """Return each link of the chain as a part. Raises BadMedia if pages are missing, damaged or not the last.

    A link begins with the first pages of all of its streams, of which one is sound; others, such as pictures, are left
    out.
    """
    links: list[Link] = []
    streams: dict[int, Link | None] = {}  # None: of something that is no sound
    others: list[str] = []
    begins, sounds = False, 0  # whether a link begins, and of how many sounds it is
    for page in _pages(data):
        first = bool(page.flags & FIRST)
        if first != begins:
            if begins and not sounds:
                break
            begins, sounds = first, 0 if first else sounds
        if first:
            streams[page.serial] = _begin(data, page, links, others)
            sounds += streams[page.serial] is not None
        if page.serial not in streams:
            raise BadMedia("damaged sound (an Ogg page of a stream that never began)")
        if (link := streams[page.serial]) is not None:
            _add(link, page)
    if not sounds:
        raise BadMedia(f"{' and '.join(others) or 'nothing'} in Ogg, expected Vorbis, Opus or FLAC")
    if not links[-1].ended:
        raise BadMedia(NO_END)
    return [_part(data, link, whole=len(links) == 1 and not others) for link in links]


def page_checksum(page: bytes) -> int:
    """Return Ogg's checksum: CRC-32 with reversed bit order, initial value zero and no final inversion."""
    mirrored = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)


def _pages(data: bytes) -> Iterator[Page]:
    """Yield the pages: 27 bytes, of which the last is the number of lengths that follow, then the content.

    Raises BadMedia for a page that is not whole or not as its checksum says.
    """
    place = 0
    for _ in range(MOST_PAGES):
        if place >= len(data):
            return
        if data[place : place + 4] != CAPTURE:
            _check_gap(data, place)
            return
        table = place + 27
        body = table + data[table - 1] if table <= len(data) else len(data) + 1
        end = body + sum(data[table:body])
        if end > len(data):
            raise BadMedia("truncated: its last page is not whole")
        page = data[place:end]
        if page_checksum(page[:22] + bytes(4) + page[26:]) != int.from_bytes(page[22:26], "little"):
            raise BadMedia(f"damaged sound (the Ogg page at byte {place} is not as its checksum says)")
        granule = int.from_bytes(page[6:14], "little")
        serial, number = int.from_bytes(page[14:18], "little"), int.from_bytes(page[18:22], "little")
        yield Page(place, body, end, page[5], granule, serial, number)
        place = end
    raise BadMedia(f"damaged sound (more than {MOST_PAGES} Ogg pages)")


def _check_gap(data: bytes, place: int) -> None:
    """Raise BadMedia if pages follow behind something that is none, or the beginning of one."""
    after = data.find(CAPTURE, place)
    if after >= 0:
        raise BadMedia(f"damaged sound ({after - place} bytes between two Ogg pages)")
    rest = data[skip_tags(data, place) :].lstrip(b"\0")
    if rest and CAPTURE.startswith(rest[:4]):
        raise BadMedia("truncated: its last page is not whole")


def _rate(data: bytes, page: Page) -> int:
    """Return the rate of the granule positions that a first page says; 0 if it is not of sound that can be read."""
    head = data[page.body : page.end]
    if head.startswith(b"\1vorbis"):
        return int.from_bytes(head[12:16], "little")
    if head.startswith(b"OpusHead"):
        return OPUS_RATE
    if head.startswith(FLAC):
        return int.from_bytes(head[27:30], "big") >> 4  # 20 bits of STREAMINFO
    return 0


def _begin(data: bytes, page: Page, links: list[Link], others: list[str]) -> Link | None:
    rate = _rate(data, page)
    if not rate:
        head = data[page.body : page.end]
        others.append(next((name for start, name in OTHERS.items() if head.startswith(start)), "an unknown codec"))
        return None
    if links and not links[-1].ended:
        raise BadMedia("two sounds at once, or a part without an end flag")
    if links:
        check_rates(links[-1].rate, rate)
    links.append(Link(rate, page.number - 1))
    return links[-1]


def _add(link: Link, page: Page) -> None:
    if page.number != link.number + 1:
        missing = page.number - link.number - 1
        reason = f"truncated: {missing} pages are missing" if missing > 0 else "damaged sound (an Ogg page comes twice)"
        raise BadMedia(f"{reason} after page {link.number}")
    if link.ended:
        raise BadMedia(f"damaged sound (an Ogg page after the last, {page.number})")
    link.number, link.ended = page.number, bool(page.flags & LAST)
    link.pages.append(page)
    if 0 < page.granule < NOWHERE and not page.flags & FIRST:  # that of a first page means nothing
        if page.granule < link.to_granule:
            raise BadMedia(f"damaged sound (the position of Ogg page {page.number} is before that of the last)")
        link.from_granule = page.granule if link.from_granule < 0 else link.from_granule
        link.to_granule = page.granule
        check_amount(link.rate, max(page.granule - link.from_granule, 0))


def _part(data: bytes, link: Link, *, whole: bool) -> Part:
    """The samples from the end of the first page on are certain; what is before may have been cut away by an editor."""
    pages = data if whole else b"".join(data[page.start : page.end] for page in link.pages)
    first = link.pages[0]
    demuxer = "ogg" if data.startswith(FLAC, first.body) else ""  # libsndfile reads that of some programs only
    return Part(pages, demuxer, link.rate, max(link.to_granule - max(link.from_granule, 0), 0))
