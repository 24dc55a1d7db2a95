"""Damages media files at random, and says what became of each: decoded, refused with a reason, or wrong.

`python -m tests.media.mutations` runs FUZZ_COUNT damaged files of each kind (or of those named), each kind in a process
of its own, because a decoder in C may end the process or never return; it prints a table, and the number of each case
that went wrong, by which `damaged_file(kind, seed, number)` makes it again.
"""

from __future__ import annotations

import faulthandler
import os
import re
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tasks.media import BadMedia

SEED, COUNT = int(os.environ.get("FUZZ_SEED", "0")), int(os.environ.get("FUZZ_COUNT", "25"))
LONGEST = 60  # seconds in which a small file has to be decoded; after that the process ends
EDGES = (
    0,
    1,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x7FFF_F000,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_FFF0,
    0xFFFF_FFFF,
)
HEADER = 128  # bytes in which most of what a file says of itself stands
REASON = re.compile(r"[^\n]{3,200}")
ADDRESS = re.compile(r"0x[0-9a-f]{6,}|object at|<_io")


class Kind(NamedTuple):
    """Files of one kind. make: a whole file; decode: what is tested; judge: what is wrong with its result, or empty.

    mend: what an attacker would do after the damage, such as new checksums.
    """

    make: Callable[[np.random.Generator], bytes]
    decode: Callable[[bytes], object]
    judge: Callable[[bytes, object], str] = lambda _data, _result: ""
    mend: Callable[[bytes], bytes] = bytes


def _flip(data: bytearray, rng: np.random.Generator, _other: bytes) -> None:
    for _ in range(int(rng.integers(1, 9))):
        data[_place(data, rng)] ^= 1 << int(rng.integers(8))


def _cut(data: bytearray, rng: np.random.Generator, _other: bytes) -> None:
    start, end = _span(data, rng)
    del data[start:end]


def _end(data: bytearray, rng: np.random.Generator, _other: bytes) -> None:
    del data[int(rng.integers(1, len(data))) :]


def _insert(data: bytearray, rng: np.random.Generator, _other: bytes) -> None:
    place = _place(data, rng)
    data[place:place] = rng.bytes(int(rng.integers(1, 400)))


def _double(data: bytearray, rng: np.random.Generator, _other: bytes) -> None:
    start, end = _span(data, rng)
    data[start:start] = data[start:end]


def _swap(data: bytearray, rng: np.random.Generator, _other: bytes) -> None:
    size = int(rng.integers(1, max(len(data) // 4, 2)))
    one, other = sorted(int(rng.integers(0, max(len(data) - 2 * size, 1))) + shift for shift in (0, size))
    data[one : one + size], data[other : other + size] = data[other : other + size], data[one : one + size]


def _zero(data: bytearray, rng: np.random.Generator, _other: bytes) -> None:
    start, end = _span(data, rng)
    data[start:end] = bytes(end - start)


def _splice(data: bytearray, rng: np.random.Generator, other: bytes) -> None:
    data[int(rng.integers(1, len(data))) :] = other[int(rng.integers(0, len(other))) :]


def _join(data: bytearray, _rng: np.random.Generator, other: bytes) -> None:
    data += other


def _edge(data: bytearray, rng: np.random.Generator, _other: bytes) -> None:
    width = int(rng.choice([1, 2, 3, 4, 8]))
    place = min(_place(data, rng), max(len(data) - width, 0))
    value = int(rng.choice(EDGES)) & (1 << 8 * width) - 1
    data[place : place + width] = value.to_bytes(width, "big" if rng.random() < 0.5 else "little")


MUTATIONS = (_flip, _cut, _end, _insert, _double, _swap, _zero, _splice, _join, _edge, _edge)


def _place(data: bytearray, rng: np.random.Generator) -> int:
    """Every second time in the header."""
    return int(rng.integers(0, min(len(data), HEADER) if rng.random() < 0.5 else len(data)))


def _span(data: bytearray, rng: np.random.Generator) -> tuple[int, int]:
    start = _place(data, rng)
    return start, min(start + int(2 ** rng.uniform(0, np.log2(len(data)))), len(data))


def damaged_file(kind: str, seed: int, number: int) -> tuple[bytes, str]:
    """The file of this number, and the names of what was done to it. The same arguments give the same file."""
    rng = np.random.default_rng([seed, number, zlib.crc32(kind.encode())])
    make = kinds()[kind].make
    data, done = bytearray(make(rng)), []
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        if len(data) < 2:
            break
        mutation = MUTATIONS[int(rng.integers(len(MUTATIONS)))]
        mutation(data, rng, make(rng))
        done.append(mutation.__name__[1:])
    return kinds()[kind].mend(bytes(data)), "+".join(done)


def outcome(kind: Kind, data: bytes) -> tuple[str, str]:
    """`read`, `refused` or `wrong`, and the reason."""
    try:
        result = kind.decode(data)
    except BadMedia as error:
        reason = str(error)
        fine = REASON.fullmatch(reason) and not ADDRESS.search(reason)
        return ("refused" if fine else "wrong"), reason
    except Exception as error:  # noqa: BLE001  that is what is looked for
        return "wrong", f"{type(error).__name__}: {error}"
    wrong = kind.judge(data, result)
    return ("wrong", wrong) if wrong else ("read", "")


def run(name: str, seed: int, count: int) -> tuple[Counter[str], list[str]]:
    """How many files of a kind came to what, and a line for each that went wrong."""
    counts: Counter[str] = Counter()
    wrong = []
    for number in range(count):
        data, done = damaged_file(name, seed, number)
        faulthandler.dump_traceback_later(LONGEST, exit=True)
        what, reason = outcome(kinds()[name], data)
        faulthandler.cancel_dump_traceback_later()
        counts[what] += 1
        if what == "wrong":
            wrong.append(f"{name} {seed} {number} ({done}): {reason}")
    return counts, wrong


def kinds() -> dict[str, Kind]:
    """All kinds by name."""
    from tests.media.mutated_pictures import PICTURES
    from tests.media.mutated_sounds import SOUNDS
    from tests.media.mutated_texts import TEXTS

    return {**SOUNDS, **PICTURES, **TEXTS}


def main(names: list[str]) -> int:
    """Run all kinds, each in a process of its own; returns how many of them went wrong."""
    if os.environ.get("FUZZ_INSIDE"):
        counts, wrong = run(names[0], SEED, COUNT)
        _say(f"{names[0]:14} {counts['read']:7} {counts['refused']:8} {counts['wrong']:6}", *wrong)
        return len(wrong) > 0
    _say(f"{'kind':14} {'read':>7} {'refused':>8} {'wrong':>6}   of {COUNT}, seed {SEED}")
    failed = 0
    for name in names or kinds():
        command = [sys.executable, "-m", "tests.media.mutations", name]
        inside = {**os.environ, "FUZZ_INSIDE": "1"}
        done = subprocess.run(command, env=inside, capture_output=True, text=True, check=False)
        _say(done.stdout.rstrip() or f"{name:14} ended with {done.returncode}: {done.stderr[-2_000:]}")
        failed += done.returncode != 0
    return failed


def _say(*lines: str) -> None:
    sys.stdout.write("\n  ".join(lines) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
