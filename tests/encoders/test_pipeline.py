"""Reading and decoding ahead of an encoder: in order, and within bounds of number and of memory."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.encoders import pipeline as encoding
from tasks.encoders.pipeline import Lookahead, Medium, batches, bytes_of
from tasks.media import BadMedia

MEDIA = [Medium(str(number), f"media/{number}", 1, f"sha-{number}") for number in range(40)]
KIB = np.zeros(1024, dtype=np.uint8)


def test_media_come_in_order_with_their_content() -> None:
    """However long each takes, and each once."""
    finished = threading.Event()

    def decode(medium: Medium) -> object:
        if medium.item == "0":
            assert finished.wait(10)  # others overtake it
        if medium.item == "5":
            finished.set()
        return f"content {medium.item}"

    assert list(Lookahead(decode, MEDIA)) == [(medium, f"content {medium.item}") for medium in MEDIA]


def test_no_medium_is_lost_to_quick_threads() -> None:
    """Thousands that take no time at all: each comes, whichever thread is faster."""
    many = MEDIA * 25
    for _ in range(20):
        assert len(list(Lookahead(lambda medium: medium.item, many))) == len(many)


def come_to_rest(ahead: Lookahead) -> None:
    """Wait until no thread decodes."""
    while True:
        with ahead._lock:
            if not ahead._running:
                return


def begun_ahead(monkeypatch: pytest.MonkeyPatch, content: object, **bounds: int) -> list[int]:
    """Each time that a medium was taken and the threads had come to rest: how many more had been begun."""
    for name, value in bounds.items():
        monkeypatch.setattr(encoding, name, value)
    lock, begun, found = threading.Lock(), 0, []

    def decode(_: Medium) -> object:
        nonlocal begun
        with lock:
            begun += 1
        return content

    ahead = Lookahead(decode, MEDIA)
    for taken, _ in enumerate(ahead, 1):
        come_to_rest(ahead)
        found.append(begun - taken)
    assert begun == len(MEDIA)
    return found


def test_no_more_than_so_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoding stops when AHEAD media are waiting, and goes on when one is taken."""
    found = begun_ahead(monkeypatch, "text", AHEAD=7)
    assert max(found) == 7
    assert found[:30] == [7] * 30


def test_no_more_than_so_much_memory_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """With large contents far fewer wait: the bound, and one that each thread had in hand when it was reached."""
    found = begun_ahead(monkeypatch, KIB, AHEAD_BYTES=4 * 1024)
    assert 4 <= max(found) <= 4 + encoding.DECODERS


def test_one_that_is_larger_than_the_bound_still_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound slows down, it does not lock up."""
    monkeypatch.setattr(encoding, "AHEAD_BYTES", 1)
    assert len(list(Lookahead(lambda _: KIB, MEDIA))) == len(MEDIA)


def test_a_failure_reaches_whoever_asks() -> None:
    """In its place, after the media before it."""

    def decode(medium: Medium) -> object:
        if medium.item == "3":
            raise OSError("the store is gone")
        return medium.item

    taken = []
    with pytest.raises(OSError, match="the store is gone"):
        taken.extend(content for _, content in Lookahead(decode, MEDIA))
    assert taken == ["0", "1", "2"]


def test_nobody_decodes_for_nobody() -> None:
    """Whoever stops listening stops the threads: what they have in hand is ended, nothing more is begun."""
    begun, stopped = [], threading.Event()

    def decode(medium: Medium) -> None:
        begun.append(medium)
        assert medium.item == "0" or stopped.wait(10)

    ahead = Lookahead(decode, MEDIA)
    rest, listening = ahead._rest, iter(ahead)
    next(listening)
    closing = threading.Thread(target=listening.close)  # type: ignore[attr-defined]
    closing.start()
    deadline = time.monotonic() + 5
    while ahead._rest is rest and time.monotonic() < deadline:
        time.sleep(0.01)
    stopped.set()
    closing.join()
    assert len(begun) <= 1 + encoding.DECODERS


@given(st.lists(st.integers(0, 3_000), max_size=200))
def test_batches_are_bounded_and_complete(sizes: list[int]) -> None:
    """All media in order, in groups of at most BATCH, none of which goes on behind BATCH_BYTES."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding, "BATCH_BYTES", 4_000)
        decoded = [(MEDIA[0], np.zeros(size, dtype=np.uint8)) for size in sizes]
        found = list(batches(decoded))
    assert [id(content) for batch in found for _, content in batch] == [id(content) for _, content in decoded]
    for batch in found:
        assert 1 <= len(batch) <= encoding.BATCH
        assert sum(bytes_of(content) for _, content in batch[:-1]) < 4_000


@pytest.mark.parametrize(
    ("content", "size"),
    [(KIB, 1024), ([KIB, KIB], 2048), ("text", 4), (BadMedia("empty file"), 0), ((KIB[:3], "ab"), 5)],
)
def test_memory_is_counted(content: object, size: int) -> None:
    """Of arrays, of lists of them, of text."""
    assert bytes_of(content) == size
