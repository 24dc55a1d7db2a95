"""What it costs to find out that one poster of a million is new to the embedding cache.

    python -m benchmarks.cache [--rows 1000000] [--width 1024] [--store folder s3] [--scratch FOLDER]

A cache is filled as nights fill it: parts of 512 vectors, float32 of `--width`, with random content. Then is asked for
the results of all media in it and of one more:

* **look-up**: which of the media have a result, as `encode` asks (`EmbeddingCache.find`); in versions without it, that
  is `EmbeddingCache.read`. Counted are the bytes of all objects that it reads of the store and the seconds that it
  takes, listing included. The media (1,000,001 of sha256) are in memory before. Not counted is the encoder.
* **new**: the vector of the new poster is added, as a part of its own.
* **one**: its vector is read back, as `extract` reads those of a run: with all indexes, and the parts that hold some.
* **index**: the look-up once after the indexes were removed, as after an upgrade from a version without them.
* **joined**: the look-up after `compact-cache`.

What is not counted: `extract` of a run about a million media writes their million vectors as its matrix, and has to
read them for it, here 4 KB each. It could take them from the matrix of the run before, which has as many bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from local.s3 import start_s3
from tasks.encoders import cache as module
from tasks.encoders.cache import EmbeddingCache
from tasks.store import FolderStore, Store
from tasks.store.s3 import S3Store

PART = 512  # as tasks.encoders.pipeline
IDENTITY = "enc@0123456789ab-p1-float32"


class Counter:
    """Counts the bytes that are read of a store."""

    def __init__(self, store: Store) -> None:
        self.size = self.objects = 0
        get = store.get

        def counted(key: str, **limit: int) -> bytes:
            data: bytes = get(key, **limit)
            self.size, self.objects = self.size + len(data), self.objects + 1
            return data

        store.get = counted  # type: ignore[method-assign]

    def measure(self, name: str, call: Callable[[], object]) -> Any:  # noqa: ANN401
        """Run it and print what it took."""
        self.size = self.objects = 0
        begun = time.perf_counter()
        result = call()
        seconds = time.perf_counter() - begun
        print(f"{name:<10}{self.size / 1e6:>12.1f} MB{self.objects:>8} objects{seconds:>9.2f} s", flush=True)
        return result


@contextmanager
def open_stores(kinds: list[str], scratch: Path) -> Iterator[dict[str, Store]]:
    """An empty store of each kind."""
    stores: dict[str, Store] = {}
    if "folder" in kinds:
        stores["folder"] = FolderStore(scratch / "store")
    if "s3" not in kinds:
        yield stores
        return
    with start_s3(scratch / "s3") as found:
        names = {"endpoint": "ENDPOINT", "access_key": "ACCESS_KEY", "secret_key": "SECRET_KEY"}
        settings = {name: found[f"RECSYS_S3_{variable}"] for name, variable in names.items()}
        yield stores | {"s3": S3Store("cache", **settings, secure=False)}


def fill(cache: EmbeddingCache, media: list[str], width: int) -> None:
    """Write the parts of many nights."""
    matrix = np.random.default_rng(0).standard_normal((PART, width), dtype=np.float32)
    for start in range(0, len(media), PART):
        matrix[:, 0] = start
        cache.append(dict(zip(media[start : start + PART], matrix, strict=False)), {})


def measure(kind: str, store: Store, media: list[str], width: int) -> None:
    """All of it on one store."""
    cache = EmbeddingCache(store, IDENTITY, "image", width)
    begun = time.perf_counter()
    fill(cache, media, width)
    print(f"\n{kind}: {len(media):,} vectors of {width} float32 written in {time.perf_counter() - begun:.0f} s")
    counter, new = Counter(store), hashlib.sha256(b"the new one").hexdigest()
    wanted = {*media, new}
    if not hasattr(cache, "find"):
        known = counter.measure("look-up", lambda: cache.read(wanted))
        assert wanted - set(known.vectors) == {new}
        return
    assert wanted - counter.measure("look-up", lambda: cache.find(wanted)) == {new}
    counter.measure("new", lambda: cache.append({new: np.ones(width, dtype=np.float32)}, {}))
    counter.measure("one", lambda: cache.read({new}))
    folder = module.embeddings_folder(IDENTITY, "image")
    for info in list(store.list(f"{folder}/keys-")):
        store.delete(info.key)
    counter.measure("index", lambda: cache.find(wanted))
    from tasks.encoders.parts import join_parts  # noqa: PLC0415  not in every version

    joined, made = counter.measure("joining", lambda: join_parts(store, folder))
    print(f"{joined} parts were joined to {made}")
    counter.measure("joined", lambda: cache.find(wanted))


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--store", nargs="+", default=["folder", "s3"], choices=["folder", "s3"])
    parser.add_argument("--scratch", type=Path, help="where the stores lie; default: a temporary folder")
    options = parser.parse_args()
    media = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(options.rows)]
    with (
        tempfile.TemporaryDirectory(dir=options.scratch) as folder,
        open_stores(options.store, Path(folder)) as stores,
    ):
        for kind, store in stores.items():
            measure(kind, store, media, options.width)


if __name__ == "__main__":
    main()
