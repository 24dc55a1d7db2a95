"""Encodes many media with one encoder: threads read and decode ahead, within limits of number and memory."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tasks.encoders.base import ModalityEncoder
from tasks.encoders.cache import EmbeddingCache, Known
from tasks.encoders.workers import PROCESSES, Workers
from tasks.errors import NotFound, TaskError
from tasks.media import LARGEST, BadMedia, too_large
from tasks.media.remarks import join_remarks
from tasks.progress import progress

log = logging.getLogger(__name__)
DECODERS = PROCESSES  # threads that read, one for each process that decodes
BATCH, BATCH_BYTES = 32, 256 << 20  # media per batch, fewer if their decoded size is large
AHEAD, AHEAD_BYTES = 96, 512 << 20  # media decoded ahead; each thread may have one more in progress
PART, PART_SECONDS = 512, 60.0  # maximum loss of a killed run: number of media, or seconds of work


@dataclass(frozen=True)
class Medium:
    """One file to encode, as recorded by the scan."""

    item: str
    key: str
    size: int
    sha256: str


class MediaSource(Protocol):
    """Where media are read: the store, or what has texts that are in no file."""

    def get(self, key: str, *, limit: int | None = None) -> bytes:
        """Bytes of a medium; NotFound if it is gone."""
        ...


class ChangedMedium(TaskError):
    """The object has changed since the scan. Its new content may be valid, so nothing is cached."""


Decoded = tuple[Medium, object]  # with BadMedia or ChangedMedium if it could not be decoded


def encode_all(
    store: MediaSource, modality: str, encoder: ModalityEncoder, cache: EmbeddingCache, media: Sequence[Medium]
) -> tuple[Known, dict[str, str]]:
    """Encode `media`; returns the results, and by sha256 the reasons why some could not be read.

    Results are written to the cache in parts, also those from before a failure.
    """
    known, unsaved, changed, odd = Known(), Known(), dict[str, str](), dict[str, str]()

    def save() -> None:
        unsaved.remarks.update({sha256: odd[sha256] for sha256 in unsaved.vectors if sha256 in odd})
        cache.append(unsaved.vectors, unsaved.rejected, unsaved.remarks)
        known.update(unsaved)
        unsaved.clear()

    saved_at = time.monotonic()
    with ExitStack() as stack:
        stack.callback(save)  # last, also after a failure
        workers = stack.enter_context(Workers())
        decoded = Lookahead(lambda medium: decode(store, modality, encoder, workers, medium, odd), media)
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
    return known, changed


def decode(  # noqa: PLR0917  one medium needs them all
    store: MediaSource, modality: str, encoder: ModalityEncoder, workers: Workers, medium: Medium, odd: dict[str, str]
) -> object:
    """Read and decode a medium, or return the reason of refusal. It is read only if its size is within the limit.

    Adds to `odd` what is remarked on, by sha256.
    """
    if reason := too_large(medium.size, modality):
        return BadMedia(reason)
    try:
        data = store.get(medium.key, limit=LARGEST[modality])
    except NotFound:
        return ChangedMedium("removed since the scan")
    if hashlib.sha256(data).hexdigest() != medium.sha256:
        return ChangedMedium("changed since the scan")
    try:
        content, said = workers.run(encoder.decode, data)
    except BadMedia as error:
        return error
    if said:
        odd[medium.sha256] = join_remarks(said)
    return content


def encode(encoder: ModalityEncoder, batch: Sequence[Decoded]) -> dict[str, np.ndarray]:
    """Return the embeddings of a batch by sha256, without those that are not finite."""
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
    """Yield groups of at most BATCH media; a group ends early when it exceeds BATCH_BYTES."""
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
    """Return the approximate size of decoded content in bytes."""
    if isinstance(content, list | tuple):
        return sum(map(bytes_of, content))
    return content.nbytes if isinstance(content, np.ndarray) else len(content) if isinstance(content, str) else 0


class Lookahead:
    """Yields each medium with the result of `decode`, in order, decoded ahead by threads.

    No further medium is started while AHEAD media, or AHEAD_BYTES of decoded content, wait to be consumed: a small file
    may contain long audio.
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
                    self._rest = iter(())  # do not start further media if the consumer stops

    def _begin(self) -> None:
        """Start as many media as the limits allow; the lock must be held."""
        while self._running < DECODERS and len(self._waiting) < AHEAD and self._bytes < AHEAD_BYTES:
            medium = next(self._rest, None)
            if medium is None:
                return
            self._running += 1
            self._waiting.append((medium, self._pool.submit(self._run, medium)))

    def _run(self, medium: Medium) -> object:
        """Run in a thread. Counters are updated before the result is visible, so the consumer never stops early."""
        content: object = None
        try:
            content = self._decode(medium)
        finally:
            with self._lock:
                self._running -= 1
                self._bytes += bytes_of(content)
                self._begin()
        return content
