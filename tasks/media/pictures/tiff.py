"""TIFF 6.0 and BigTIFF: the first directory, rewritten with only the tags that decide pixels."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from tasks.media.pictures import Damaged, Deep, Tidy, Unusable, check_numbers, check_pixels

WIDTH, HEIGHT, BITS, PACKING, INTERPRETATION, FILL_ORDER = 256, 257, 258, 259, 262, 266
STRIPS, ORIENTATION, SAMPLES, STRIP_SIZES, PLANES, PREDICTOR = 273, 274, 277, 279, 284, 317
COLOURS, TILE_WIDTH, TILE_HEIGHT, TILES, TILE_SIZES, EXTRAS, SAMPLE_FORMAT = 320, 322, 323, 324, 325, 338, 339
ROWS_PER_STRIP = 278
# ... and what fax, JPEG and YCbCr need: T4 and T6 options, inks, JPEG tables, YCbCr tags
KEPT = {WIDTH, HEIGHT, BITS, PACKING, INTERPRETATION, FILL_ORDER, STRIPS, SAMPLES, STRIP_SIZES, PLANES, PREDICTOR}
KEPT |= {COLOURS, TILE_WIDTH, TILE_HEIGHT, TILES, TILE_SIZES, EXTRAS, SAMPLE_FORMAT, ROWS_PER_STRIP}
KEPT |= {292, 293, 332, 347, *range(512, 522), 529, 530, 531, 532}
TYPES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}  # bytes
NUMBERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}  # types of whole numbers, and their codes in struct
LONG, SHORT = 4, 3
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, INKS, YCBCR = 0, 1, 2, 5, 6
OLD_JPEG = 6
MOST_ENTRIES = 512
MOST_VALUES = 1 << 20
UNIT = 1  # of SAMPLE_FORMAT: whole numbers without a sign


@dataclass(frozen=True)
class Directory:
    """Tag -> type, number of values and their bytes; `data` is the whole file, `mark` its byte order for struct."""

    data: bytes
    mark: str
    big: bool
    entries: dict[int, tuple[int, int, bytes]]

    def values(self, tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """Return the whole numbers of a tag. Raises Damaged if it has others."""
        if tag not in self.entries:
            return default
        kind, count, body = self.entries[tag]
        if kind not in NUMBERS or not 0 < count <= MOST_VALUES:
            raise Damaged(f"tag {tag} has {count} values of type {kind}")
        return struct.unpack(f"{self.mark}{count}{NUMBERS[kind]}", body)

    def value(self, tag: int, default: int | None = None) -> int:
        """Return the first number of a tag."""
        found = self.values(tag, () if default is None else (default,))
        if not found:
            raise Damaged(f"no tag {tag}")
        return found[0]

    def with_values(self, changed: Mapping[int, tuple[int, ...]]) -> Directory:
        """Return the directory with other numbers."""
        now = {tag: (LONG, len(them), struct.pack(f"{self.mark}{len(them)}I", *them)) for tag, them in changed.items()}
        return replace(self, entries=self.entries | now)


def read_tiff(data: bytes) -> Tidy | Deep:
    """Return the first picture with only the tags that it needs, or the levels of one of 16 bits.

    Raises Damaged and Unusable.
    """
    found = _read_directory(data)
    width, height = found.value(WIDTH), found.value(HEIGHT)
    if not (width and height):
        raise Damaged("a picture without pixels")
    check_pixels(width, height)
    bits, formats = set(found.values(BITS, (1,))), set(found.values(SAMPLE_FORMAT, (UNIT,)))
    if bits == {32} or (formats != {UNIT} and bits != {8}):
        raise Unusable("a picture of 32-bit numbers, of fractions or of numbers with a sign, expected 8 or 16 bits")
    if len(bits) > 1 or not bits <= {1, 2, 4, 8, 16}:
        raise Unusable(f"a TIFF with {', '.join(map(str, sorted(bits)))} bits, expected 1, 2, 4, 8 or 16 bits")
    _require_all_pixels(found)
    turned, meaning = _orientation(found), found.value(INTERPRETATION, WHITE_IS_ZERO)
    if bits == {16}:
        return _read_deep(found, meaning, turned)
    if meaning == WHITE_IS_ZERO and found.value(PACKING, 1) != OLD_JPEG:
        return Tidy(_write(found.with_values({INTERPRETATION: (BLACK_IS_ZERO,)})), turned, inverted=True)
    return Tidy(_write(found), turned)


def _read_directory(data: bytes) -> Directory:
    mark, big = "<" if data[:2] == b"II" else ">", 43 in data[2:4]
    try:
        (start,) = struct.unpack_from(f"{mark}{'Q' if big else 'I'}", data, 8 if big else 4)
        (count,) = struct.unpack_from(f"{mark}{'Q' if big else 'H'}", data, start)
    except (struct.error, OverflowError) as error:
        raise Damaged("its directory is not within the file") from error
    form, step, first = (f"{mark}HHQ8s", 20, start + 8) if big else (f"{mark}HHI4s", 12, start + 2)
    if count > MOST_ENTRIES or first + count * step > len(data):
        raise Damaged("its directory is not within the file")
    entries: dict[int, tuple[int, int, bytes]] = {}
    for place in range(first, first + count * step, step):
        tag, kind, values, field = struct.unpack_from(form, data, place)
        if tag not in KEPT | {ORIENTATION} or tag in entries:
            continue
        size = TYPES.get(kind, 0) * values
        where = int.from_bytes(field, "little" if mark == "<" else "big")
        body = field[:size] if size <= len(field) else data[where : where + size]
        if len(body) < size and tag != ORIENTATION:
            raise Damaged(f"the values of tag {tag} are not within the file")
        entries[tag] = (kind, values, body)
    return Directory(data, mark, big, entries)


def _orientation(found: Directory) -> int:
    try:
        value = found.value(ORIENTATION, 1)
    except (Damaged, struct.error):
        return 1
    return value if 1 <= value <= 8 else 1


def _require_all_pixels(found: Directory) -> None:
    """Raise Damaged if strips or tiles are not within the file; decoders fill what is missing with grey."""
    tiled = TILES in found.entries
    starts = found.values(TILES if tiled else STRIPS)
    sizes = found.values(TILE_SIZES if tiled else STRIP_SIZES)
    width, height = found.value(WIDTH), found.value(HEIGHT)
    across = -(-width // max(found.value(TILE_WIDTH), 1)) if tiled else 1
    rows = found.value(TILE_HEIGHT) if tiled else min(found.value(ROWS_PER_STRIP, height), height)
    if tiled:
        check_pixels(found.value(TILE_WIDTH), rows)
    planes = found.value(SAMPLES, 1) if found.value(PLANES, 1) == 2 else 1
    parts = across * -(-height // max(rows, 1)) * planes
    if found.value(PACKING, 1) == OLD_JPEG:
        return
    if len(starts) < parts or (sizes and len(sizes) < parts):
        raise Damaged(f"{len(starts)} strips or tiles, expected {parts}")
    plain = found.value(PACKING, 1) == 1 and found.value(INTERPRETATION, WHITE_IS_ZERO) != YCBCR
    bits = found.value(BITS, 1) * (1 if planes > 1 else found.value(SAMPLES, 1))
    line = -(-(found.value(TILE_WIDTH) if tiled else width) * bits // 8)
    for number in range(parts):
        size = sizes[number] if sizes else 1
        if plain:  # as many bytes as pixels need, whatever the file says of them
            row = number % (parts // planes) // across * rows
            size = line * (rows if tiled else min(rows, height - row))
        if not 0 < size <= len(found.data) - starts[number]:
            raise Damaged(f"strip or tile {number + 1} of {parts} is not within the file")


def _write(found: Directory) -> bytes:
    """Return the file with a new directory at its end, and none after it."""
    data = found.data + b"\0" * (-len(found.data) % 8)
    wide, count, step, room = ("Q", "Q", 20, 8) if found.big else ("I", "H", 12, 4)
    entries = sorted((tag, entry) for tag, entry in found.entries.items() if tag != ORIENTATION)
    start = len(data)
    behind = start + struct.calcsize(f"<{count}{wide}") + step * len(entries)
    fields, tail = [], b""
    for tag, (kind, values, body) in entries:
        place = body.ljust(room, b"\0") if len(body) <= room else struct.pack(f"{found.mark}{wide}", behind + len(tail))
        tail += body + b"\0" * (len(body) % 2) if len(body) > room else b""
        fields.append(struct.pack(f"{found.mark}HH{wide}", tag, kind, values) + place)
    directory = struct.pack(f"{found.mark}{count}", len(entries)) + b"".join(fields) + b"\0" * room + tail
    head = data[:8] if found.big else data[:4]
    return head + struct.pack(f"{found.mark}{wide}", start) + data[len(head) + room :] + directory


def _read_deep(found: Directory, meaning: int, turned: int) -> Deep:
    """Return the levels of a picture of 16 bits; Pillow would drop the low bytes of colours."""
    samples, extras = found.value(SAMPLES, 1), found.values(EXTRAS)
    colours = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, INKS: 4}.get(meaning)
    if colours is None or samples < colours:
        raise Unusable(f"a TIFF of 16 bits with {samples} channels of kind {meaning}, expected grey, RGB or CMYK")
    levels = _read_planes(found, samples) if found.value(PLANES, 1) == 2 else _read_mixed(found, samples)
    if meaning == WHITE_IS_ZERO:
        levels = np.concatenate([65_535 - levels[..., :1], levels[..., 1:]], axis=2)
    if meaning == INKS:
        return Deep(levels[..., :4], turned, inks=True)
    # an extra channel is transparency if it says so (1: colours are multiplied by it, 2: they are not)
    if samples == colours or (extras and extras[0] not in {1, 2}) or (not extras and colours == 1):
        return Deep(levels[..., :colours], turned)
    levels = levels[..., : colours + 1]
    return Deep(_divide_by_alpha(levels) if extras[:1] == (1,) else levels, turned)


def _divide_by_alpha(levels: np.ndarray) -> np.ndarray:
    alpha = levels[..., -1:].astype(np.float64)
    colours = np.minimum(levels[..., :-1] * 65_535.0 / np.maximum(alpha, 1), 65_535)
    return np.concatenate([np.rint(colours).astype(np.uint16), levels[..., -1:]], axis=2)


def _read_planes(found: Directory, samples: int) -> np.ndarray:
    tags = (TILES, TILE_SIZES) if TILES in found.entries else (STRIPS, STRIP_SIZES)
    lists = {tag: found.values(tag) for tag in tags if tag in found.entries}
    each = len(lists[tags[0]]) // samples
    planes = []
    for plane in range(samples):
        part = {tag: them[plane * each : (plane + 1) * each] for tag, them in lists.items()}
        planes.append(_read_grey(found.with_values(part | {PLANES: (1,)})))
    return np.dstack(planes)


def _read_mixed(found: Directory, samples: int) -> np.ndarray:
    """Return (height, width, samples) of pixels that are told to be grey, `samples` times as many in a row."""
    if samples == 1:
        return _read_grey(found)[..., None]
    width, height = found.value(WIDTH), found.value(HEIGHT)
    check_numbers(width, height, samples)
    changed: dict[int, tuple[int, ...]] = {WIDTH: (width * samples,), PREDICTOR: (1,)}
    step = width
    if TILES in found.entries:
        step = found.value(TILE_WIDTH)
        changed[TILE_WIDTH] = (step * samples,)
    levels = _read_grey(found.with_values(changed)).reshape(height, width, samples)
    predictor = found.value(PREDICTOR, 1) if found.value(PACKING, 1) != 1 else 1
    if predictor == 1:
        return levels
    if predictor != 2:
        raise Unusable(f"a TIFF of 16 bits with predictor {predictor}, expected 1 or 2")
    parts = [np.cumsum(levels[:, x : x + step], axis=1, dtype=np.uint16) for x in range(0, width, step)]
    return np.concatenate(parts, axis=1)


def _read_grey(found: Directory) -> np.ndarray:
    plain = {SAMPLES: (1,), INTERPRETATION: (BLACK_IS_ZERO,), BITS: (16,)}
    single = found.with_values(plain)
    rest = {tag: entry for tag, entry in single.entries.items() if tag not in {EXTRAS, SAMPLE_FORMAT}}
    with Image.open(io.BytesIO(_write(replace(single, entries=rest))), formats=["TIFF"]) as image:
        return np.asarray(image).astype(np.uint16, casting="same_kind")
