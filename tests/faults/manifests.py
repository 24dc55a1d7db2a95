"""Faults in manifests, and in files behind their back."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Iterator
from typing import Any

from tests.faults.planting import EMBEDDINGS, KEYS, Fault, counted, from_another, stated
from tests.faults.world import ITEMS, WIDTH, Night


def rewrite(step: str, file: str, change: Callable[[bytes], bytes]) -> Callable[[Night], None]:
    def plant(night: Night) -> None:
        path = night.path(step, file)
        path.write_bytes(change(path.read_bytes()))

    return plant


def entry(step: str, file: str, **facts: Any) -> Callable[[Night], None]:
    return lambda night: night.manifest(step, lambda manifest: manifest["files"][file].update(facts))


def npy(data: bytes) -> Callable[[Night], None]:
    def plant(night: Night) -> None:
        night.path("align", "plot.npy").write_bytes(data)
        follow_bytes(night, "align", "plot.npy")

    return plant


def follow_bytes(night: Night, step: str, file: str) -> None:
    data = night.path(step, file).read_bytes()
    entry(step, file, sha256=hashlib.sha256(data).hexdigest(), size=len(data))(night)


def huge() -> bytes:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 1024), }"
    header += b" " * (-(10 + len(header) + 1) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


def manifests() -> Iterator[Fault]:
    file = "plot.npy"
    faults: dict[str, tuple[Callable[[Night], None], str]] = {
        "one bit flipped": (rewrite("align", file, lambda data: data[:-1] + bytes([data[-1] ^ 1])), "Corrupt"),
        "a file cut": (rewrite("align", file, lambda data: data[:-100]), "Corrupt"),
        "a file of no bytes": (rewrite("align", file, lambda _: b""), "Corrupt"),
        "a file gone": (lambda night: night.path("align", file).unlink(), "NotFound"),
        "keys edited": (rewrite("align", KEYS, lambda data: data.replace(b"film-0007", b"film-0009", 1)), "Corrupt"),
        "sha256 edited": (entry("align", file, sha256="0" * 64), "Corrupt"),
        "size edited": (entry("align", file, size=3), "Corrupt"),
        "rows edited": (entry("align", file, rows=3), "Corrupt"),
        "rows of a table edited": (entry("align", KEYS, rows=3), "Corrupt"),
        "shape edited": (entry("align", file, shape=[ITEMS - 1, WIDTH]), "Corrupt"),
        "dtype edited": (entry("align", file, dtype="float64"), "Corrupt"),
        "prefix of another run": (stated("align", prefix="runs/other/align"), "Corrupt"),
        "counts: one item less": (counted("align", "kept", -1), "counts_are_as_stated"),
        "counts: one missing more": (counted("align", "missing_plot", 1), "counts_are_as_stated"),
        "counts of the scan": (counted("scan", "with_all", 1), "counts_are_as_stated"),
        "made from another extraction": (from_another("align", "extract-tags"), "made_from_what_stands_there"),
        "made from another scan": (from_another("align", "scan"), "made_from_what_stands_there"),
        "manifest gone": (lambda night: night.path("align", "manifest.json").unlink(), "NotFound"),
        "manifest is no JSON": (rewrite("align", "manifest.json", lambda _: b"{"), "Corrupt"),
        "manifest with an unknown key": (stated("align", evil=1), "Corrupt"),
        "a pickle in its place": (npy(pickle.dumps([1])), "Corrupt"),
        "a header that claims 10^9 rows": (npy(huge()), "Corrupt"),
    }
    for what, (plant, expectation) in faults.items():
        yield Fault("files and manifests", what, plant, EMBEDDINGS, expectation)
