"""Many media through one encoder: threads read and decode ahead of it, within bounds of number and of memory."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from tasks.encoders.base import ModalityEncoder
from tasks.encoders.cache import EmbeddingCache, Known
from tasks.errors import NotFound, TaskError
from tasks.media import LARGEST, BadMedia, too_large
from tasks.progress import progress
from tasks.store import Store

log = logging.getLogger(__name__)
DECODERS = 2  # threads
BATCH, BATCH_BYTES = 32, 256 << 20  # media encoded at once, fewer when they are large as they are decoded
AHEAD, AHEAD_BYTES = 96, 512 << 20  # media decoded and waiting; each thread may have one more in hand
PART, PART_SECONDS = 512, 60.0  # what a killed run loses at most: so many media, or what took so long


@dataclass(frozen=True)
class Medium:
    """One file to be encoded, as the scan saw it."""

    item: str
    key: str
    size: int
    sha256: str


class ChangedMedium(TaskError):
    """The object is no longer what the scan saw. Nothing is known against what it is now, so nothing is cached."""


Decoded = tuple[Medium, object]  # with BadMedia or ChangedMedium in place of what could not be decoded


def encode_all(
    store: Store, modality: str, encoder: ModalityEncoder, cache: EmbeddingCache, media: Sequence[Medium]
) -> tuple[Known, dict[str, str]]:
    """What the encoder makes of `media`, and by sha256 the reasons why some could not be looked at.

    What is known goes into the cache in parts; also what was encoded before a failure.
    """
    known, unsaved, changed = Known(), Known(), dict[str, str]()

    def save() -> None:
        cache.append(unsaved.vectors, unsaved.rejected)
        known.update(unsaved)
        unsaved.clear()

    saved_at = time.monotonic()
    decoded = Lookahead(lambda medium: decode(store, modality, encoder, medium), media)
    try:
        for batch in batches(progress(decoded, label=f"encoding {modality}", total=len(media), unit="file")):
            unsaved.vectors.update(encode(encoder, batch))
            for medium, content in batch:
                if isinstance(content, ChangedMedium):
                    changed[medium.sha256] = str(content)
                elif isinstance(content, BadMedia):
                    unsaved.rejected[medium.sha256] = str(content)
                elif medium.sha256 not in unsaved.vectors:
                    unsaved.rejected[medium.sha256] = "its vector is not finite"
            if len(unsaved) >= PART or time.monotonic() - saved_at >= PART_SECONDS:
                save()
                saved_at = time.monotonic()
    finally:
        save()
    return known, changed


def decode(store: Store, modality: str, encoder: ModalityEncoder, medium: Medium) -> object:
    """What the encoder wants of a medium, or why there is no such thing. Read only when it is as small as it may be."""
    if reason := too_large(medium.size, modality):
        return BadMedia(reason)
    try:
        data = store.get(medium.key, limit=LARGEST[modality])
    except NotFound:
        return ChangedMedium("removed since the scan")
    if hashlib.sha256(data).hexdigest() != medium.sha256:
        return ChangedMedium("changed since the scan")
    try:
        return encoder.decode(data)
    except BadMedia as error:
        return error


def encode(encoder: ModalityEncoder, batch: Sequence[Decoded]) -> dict[str, np.ndarray]:
    """By sha256 the vectors of a batch, without those that are not finite."""
    good = [(medium, content) for medium, content in batch if not isinstance(content, Exception)]
    if not good:
        return {}
    rows = encoder.encode([content for _, content in good])
    if rows.shape != (len(good), encoder.width) or rows.dtype != np.float32:
        raise TaskError(
            f"encoder {encoder.identity} gave {rows.dtype} of shape {rows.shape}, "
            f"expected float32 of shape {(len(good), encoder.width)}"
        )
    finite = np.isfinite(rows).all(axis=1)
    return {medium.sha256: row for (medium, _), row, fine in zip(good, rows, finite, strict=True) if fine}


def batches(decoded: Iterable[Decoded]) -> Iterator[list[Decoded]]:
    """Groups of at most BATCH media; a group ends early with the medium that takes it over BATCH_BYTES."""
    batch: list[Decoded] = []
    size = 0
    for medium, content in decoded:
        batch.append((medium, content))
        size += bytes_of(content)
        if len(batch) == BATCH or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def bytes_of(content: object) -> int:
    """How much memory decoded content takes, about."""
    if isinstance(content, list | tuple):
        return sum(map(bytes_of, content))
    return content.nbytes if isinstance(content, np.ndarray) else len(content) if isinstance(content, str) else 0


class Lookahead:
    """Each medium with what `decode` makes of it, in order, decoded by threads before it is asked for.

    No medium is begun while AHEAD of them, or AHEAD_BYTES of what was made of them, wait to be taken: a short file may
    be a long sound.
    """

    def __init__(self, decode: Callable[[Medium], object], media: Iterable[Medium]) -> None:
        self._decode = decode
        self._rest = iter(media)
        self._waiting: deque[tuple[Medium, Future[object]]] = deque()
        self._running = self._bytes = 0
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Decoded]:
        with ThreadPoolExecutor(DECODERS) as self._pool:
            try:
                with self._lock:
                    self._begin()
                while self._waiting:
                    medium, future = self._waiting[0]
                    content = future.result()
                    with self._lock:
                        self._waiting.popleft()
                        self._bytes -= bytes_of(content)
                        self._begin()
                    yield medium, content
            finally:
                with self._lock:
                    self._rest = iter(())  # whoever stops listening is not waited for

    def _begin(self) -> None:
        """Begin as many as may be; the lock is held."""
        while self._running < DECODERS and len(self._waiting) < AHEAD and self._bytes < AHEAD_BYTES:
            medium = next(self._rest, None)
            if medium is None:
                return
            self._running += 1
            self._waiting.append((medium, self._pool.submit(self._run, medium)))

    def _run(self, medium: Medium) -> object:
        """In a thread. What is counted is counted before anyone can see the result, and end for want of another."""
        content: object = None
        try:
            content = self._decode(medium)
        finally:
            with self._lock:
                self._running -= 1
                self._bytes += bytes_of(content)
                self._begin()
        return content
