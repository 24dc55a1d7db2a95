"""Files that are made to keep a decoder busy: they are refused, or read, without minutes of work."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tasks.media import BadMedia
from tasks.media.containers import MOST_PARTS, split_sound
from tasks.media.mp4 import MOST_BOXES
from tasks.media.ogg import MOST_PAGES
from tasks.media.wave import MOST_CHUNKS
from tests.encoders.media import sound, tone
from tests.media.sounds import FORMAT, chunk, mp3, noise, ogg_pages, riff

PAGES = ogg_pages(sound(tone(), form="OGG", subtype="VORBIS"))
SOUP: dict[str, tuple[str, Callable[[], bytes]]] = {
    "tags": ("not sound of a known format", lambda: b"ID3\3\0\0\0\0\0\0" * (5 << 20)),
    "headers of frames": ("not sound of a known format", lambda: b"\xff\xfb\x90\0\0\0\0" * (3 << 20)),
    "marks of announcements": (r"damaged sound \(\d+ bytes", lambda: mp3(2, announced=False) + b"Info" * (5 << 20)),
    "chunks": (f"damaged sound .more than {MOST_CHUNKS}", lambda: riff(FORMAT, chunk(b"data", b"ab") * (1 << 20))),
    "files in a file": (f"damaged sound .more than {MOST_CHUNKS} chunks", lambda: b"RIFF\0\0\0\0WAVE" * (1 << 20)),
    "boxes": (f"damaged sound .more than {MOST_BOXES} boxes", lambda: b"\0\0\0\x08free" * (1 << 20)),
    "pages": (f"damaged sound .more than {MOST_PAGES} Ogg pages", lambda: PAGES[0].packed() + empty_pages(MOST_PAGES)),
    "parts": (f"{MOST_PARTS + 1} sounds in one file", lambda: sound(noise(0.01), form="FLAC") * (MOST_PARTS + 1)),
}


def empty_pages(count: int) -> bytes:
    """Pages without content of another stream, which ask for no order."""
    first = PAGES[0]._replace(table=b"\0", head=PAGES[0].head[:26] + b"\1")
    return first.packed(flags=2, serial=9, body=b"") * count


@pytest.mark.slow
@pytest.mark.parametrize("name", SOUP)
def test_what_would_take_minutes_is_refused(name: str) -> None:
    """A limit on how often the same thing may come is found before the work is done."""
    reason, make = SOUP[name]
    with pytest.raises(BadMedia, match=f"^{reason}"):
        split_sound(make())
