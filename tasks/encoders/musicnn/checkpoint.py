"""Reads a checkpoint of TensorFlow ("tensor bundle") without TensorFlow: an index of names, and a file of numbers.

The index is a sorted table as LevelDB writes it (tensorflow/core/util/tensor_bundle, tensorflow/core/lib/io/format.cc);
its values are protocol buffers. Whatever lies outside of the files or is not as expected is BadInput.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tasks.errors import BadInput

MAGIC = 0xDB4775248B80FB57
FOOTER = 48  # bytes: places of two blocks, padded, and MAGIC
FLOAT = 1  # DT_FLOAT
MOST = 10  # bytes of a number of 64 bits


def read_checkpoint(index: Path, data: Path) -> dict[str, np.ndarray]:
    """Name -> float32 array of each tensor of that kind; others, such as counters, are left out. BadInput."""
    numbers = data.read_bytes()
    tensors = {}
    for key, value in _table(index.read_bytes()):
        if not key:  # the header of the file
            continue
        kind, shape, offset, size = _entry(value)
        if kind != FLOAT:
            continue
        if size != 4 * math.prod(shape) or offset + size > len(numbers):
            raise _damaged(f"{key!r} has {size} bytes at {offset} for the shape {shape}")
        tensors[key.decode(errors="replace")] = (
            np.frombuffer(numbers, "<f4", size // 4, offset).reshape(shape).astype(np.float32)
        )
    return tensors


def _table(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield key and value of each entry."""
    if len(data) < FOOTER or struct.unpack("<Q", data[-8:])[0] != MAGIC:
        raise _damaged("its last bytes are not those of a table")
    *_, offset, size = _varints(data[-FOOTER:-8], 4)  # the first two are of metadata, which nobody needs
    for _, handle in _block(data, offset, size):
        yield from _block(data, *_varints(handle, 2))


def _block(data: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield key and value of each entry of a block; keys share their first letters with the one before."""
    if offset + size + 1 > len(data) or size < 4:
        raise _damaged(f"a block of {size} bytes at {offset}")
    if data[offset + size]:
        raise _damaged("a compressed block")
    block = data[offset : offset + size]
    (restarts,) = struct.unpack("<I", block[-4:])
    end = size - 4 - 4 * restarts
    key, place = b"", 0
    while place < end:
        place, shared = _varint(block, place)
        place, own = _varint(block, place)
        place, length = _varint(block, place)
        if shared > len(key) or place + own + length > end:
            raise _damaged("an entry that ends beyond its block")
        key = key[:shared] + block[place : place + own]
        yield key, block[place + own : place + own + length]
        place += own + length


def _entry(value: bytes) -> tuple[int, tuple[int, ...], int, int]:
    """Kind, shape, offset and size of a BundleEntryProto."""
    fields = dict(_fields(value))
    dimensions = [_whole(dict(_fields(_bytes(one))).get(1, 0)) for _, one in _fields(_bytes(fields.get(2, b"")))]
    kind, offset, size = (_whole(fields.get(number, 0)) for number in (1, 4, 5))
    return kind, tuple(dimensions), offset, size


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and value of each field of a protocol buffer."""
    place = 0
    while place < len(message):
        place, tag = _varint(message, place)
        if tag & 7 == 0:
            place, value = _varint(message, place)
            yield tag >> 3, value
            continue
        length = 4
        if tag & 7 == 2:
            place, length = _varint(message, place)
        elif tag & 7 != 5:
            raise _damaged(f"a field of kind {tag & 7}")
        if place + length > len(message):
            raise _damaged("a field that ends beyond its message")
        yield tag >> 3, message[place : place + length]
        place += length


def _varints(data: bytes, count: int) -> list[int]:
    place, values = 0, []
    for _ in range(count):
        place, value = _varint(data, place)
        values.append(value)
    return values


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """The place after a number of seven bits a byte, and the number."""
    value = 0
    for shift, byte in enumerate(data[place : place + MOST]):
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return place + shift + 1, value
    raise _damaged("a number that does not end")


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise _damaged("a shape that is a number")
    return value


def _whole(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise _damaged("a number that is a message")
    return value


def _damaged(what: str) -> BadInput:
    return BadInput(f"{what} found in the checkpoint, expected an uncompressed one of TensorFlow")
