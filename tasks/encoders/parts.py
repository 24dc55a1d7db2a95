"""The parts of an embedding cache, each with an index of its keys, and larger parts that replace small ones.

A part is `part-<sha256>.parquet`, named by its own bytes. Its index `keys-<sha256 of the part>-<sha256>.parquet`, named
by both, has 32 bytes for each medium and is written after the part: a part without an index, of a writer that was
killed or of an earlier version, is read and gets one. A part that joins others names them (`replaces` in the metadata
of part and index, whose name begins with `joined-`). They are not read any more, and stay until garbage collection
removes them, for those who are still reading them.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.errors import Corrupt, NotFound
from tasks.store import ObjectInfo, Store
from tasks.store.layout import EMBEDDINGS

log = logging.getLogger(__name__)
READERS = 4  # objects fetched at the same time
PART, INDEX, JOINED, ENDING = "part-", "keys-", "joined-", ".parquet"
REPLACES = b"replaces"
DELETE = "delete it, its media are then encoded again"
SMALL, BYTES = 16, 64 << 20  # so many small parts are joined, to parts of about so many bytes


@dataclass(frozen=True)
class Index:
    """What a part holds: `media`, the sha256 of each, and the sha256 of the parts that it `replaces`."""

    part: str
    media: tuple[str, ...]
    replaces: frozenset[str]


def schema_of(width: int) -> pa.Schema:
    """Return the columns of a part."""
    vector = pa.list_(pa.float32(), width)
    return pa.schema([("sha256", pa.string()), ("reason", pa.string()), ("vector", vector), ("remark", pa.string())])


def open_parts(store: Store, folder: str) -> dict[str, Index]:
    """Return key -> index of the parts that are read; those without an index get one.

    Raises Corrupt for a part that needs one and has other bytes than its name promises.
    """
    found = _read_folder(store, list(store.list(f"{folder}/")))
    read = {sha256: info for sha256, info in found.parts.items() if sha256 not in found.replaced}
    missing = {sha256: info for sha256, info in read.items() if sha256 not in found.indexes}
    if missing:
        log.info("%d parts of %s have no index: they are read once and get one", len(missing), folder)
    with ThreadPoolExecutor(READERS) as pool:
        made = pool.map(lambda info: write_index(store, info.key, read_part(store, info.key)), missing.values())
        indexes = found.indexes | dict(zip(missing, made, strict=True))
    replaced = {name for index in indexes.values() for name in index.replaces}
    return {info.key: indexes[sha256] for sha256, info in read.items() if sha256 not in replaced}


def list_replaced(store: Store) -> Iterator[ObjectInfo]:
    """Yield the parts that others have replaced, their indexes, and indexes without a part, in all caches."""
    folders: dict[str, list[ObjectInfo]] = {}
    for info in store.list(f"{EMBEDDINGS}/"):
        folders.setdefault(info.key.rpartition("/")[0], []).append(info)
    for objects in folders.values():
        found = _read_folder(store, objects, small=False)
        yield from (info for sha256, info in found.parts.items() if sha256 in found.replaced)
        kept = found.parts.keys() - found.replaced
        yield from (info for info in found.objects if _part_of(info.key) not in kept)


def read_part(store: Store, key: str) -> pa.Table:
    """Read a part, with null remarks for one of an earlier version. Raises Corrupt if it is not what its name says."""
    data = store.get(key)
    if f"{PART}{hashlib.sha256(data).hexdigest()}{ENDING}" != key.rpartition("/")[2]:
        raise Corrupt(f"{key} has other bytes than its name promises: {DELETE}")
    try:
        table = pq.read_table(io.BytesIO(data))
    except pa.ArrowInvalid as error:
        raise Corrupt(f"{key} is not a Parquet file: {DELETE}") from error
    if table.column_names == schema_of(1).names[:-1]:
        table = table.append_column("remark", pa.nulls(len(table), pa.string()))
    vector = table.schema.field("vector").type if "vector" in table.column_names else None
    require_schema(key, table, vector.list_size if isinstance(vector, pa.FixedSizeListType) else 1)
    return table


def require_schema(key: str, table: pa.Table, width: int) -> None:
    """Raise Corrupt unless a part has the columns of vectors of this width."""
    expected = schema_of(width)
    if not table.schema.equals(expected):
        raise Corrupt(
            f"{key} has columns {', '.join(f'{c.name}: {c.type}' for c in table.schema)}, expected "
            f"{', '.join(f'{c.name}: {c.type}' for c in expected)}: {DELETE}"
        )


def width_of(table: pa.Table) -> int:
    """Return the length of the vectors of a part."""
    width: int = table.schema.field("vector").type.list_size
    return width


def write_part(store: Store, folder: str, table: pa.Table, replaces: Sequence[str] = ()) -> str:
    """Write a part and then its index; returns the part's key. `replaces`: the sha256 of parts that it joins."""
    if replaces:
        table = table.replace_schema_metadata({REPLACES: json.dumps(sorted(replaces))})
    data = _bytes(table)
    key = f"{folder}/{PART}{hashlib.sha256(data).hexdigest()}{ENDING}"
    store.put(key, data)
    write_index(store, key, table)
    return key


def write_index(store: Store, key: str, table: pa.Table) -> Index:
    """Write the index of a part."""
    media = table["sha256"].to_pylist()
    keys = pa.array([bytes.fromhex(sha256) for sha256 in media], pa.binary(32))
    data = _bytes(pa.table({"sha256": keys}).replace_schema_metadata(table.schema.metadata))
    folder, _, name = key.rpartition("/")
    part = name.removeprefix(PART).removesuffix(ENDING)
    index = Index(part, tuple(media), _replaces(table.schema))
    kind = JOINED if index.replaces else INDEX
    store.put(f"{folder}/{kind}{part}-{hashlib.sha256(data).hexdigest()}{ENDING}", data)
    return index


def join_parts(store: Store, folder: str) -> tuple[int, int]:
    """Join small parts to large ones, if there are many; returns how many were joined to how many.

    What was joined stays. Of a medium in several parts one vector is kept, or else one reason.
    """
    opened = open_parts(store, folder)
    if not opened:
        return 0, 0
    width = width_of(read_part(store, next(iter(opened))))
    full = max(2, BYTES // (4 * width))
    small = [key for key, index in opened.items() if len(index.media) <= full // 2]
    if len(small) < SMALL:
        return 0, 0
    joined = made = 0
    group: list[str] = []
    for key in small:
        group.append(key)
        if sum(len(opened[one].media) for one in group) >= full or (key == small[-1] and len(group) > 1):
            table = _join([read_part(store, one) for one in group])
            write_part(store, folder, table, [opened[one].part for one in group])
            joined, made, group = joined + len(group), made + 1, []
    return joined, made


def list_folders(store: Store) -> list[str]:
    """Return the folders of all caches."""
    return sorted({info.key.rpartition("/")[0] for info in store.list(f"{EMBEDDINGS}/")})


def _join(tables: Sequence[pa.Table]) -> pa.Table:
    """One row for each medium; those with a vector come first."""
    table = pa.concat_tables(one.replace_schema_metadata(None) for one in tables)
    order = np.argsort(pc.is_valid(table["reason"]).to_numpy(), kind="stable")
    _, first = np.unique(np.array(table["sha256"].to_pylist())[order], return_index=True)
    return table.take(pa.array(order[np.sort(first)])).combine_chunks()


@dataclass(frozen=True)
class _Folder:
    """Parts by sha256, the indexes of those that are read and have one, those that are not read, and all indexes."""

    parts: dict[str, ObjectInfo]
    indexes: dict[str, Index]
    replaced: frozenset[str]
    objects: list[ObjectInfo]


def _read_folder(store: Store, objects: Sequence[ObjectInfo], *, small: bool = True) -> _Folder:
    """Read the indexes of parts that join others first, so that those of the others need not be read.

    Without `small` no others are read.
    """
    names = [(info, info.key.rpartition("/")[2]) for info in objects]
    parts = {name.removeprefix(PART).removesuffix(ENDING): info for info, name in names if name.startswith(PART)}
    joining, plain = ([info for info, name in names if name.startswith(kind)] for kind in (JOINED, INDEX))
    with ThreadPoolExecutor(READERS) as pool:

        def read(infos: list[ObjectInfo]) -> dict[str, Index]:
            found = pool.map(partial(_read_index, store), infos)
            return {index.part: index for index in found if index is not None}

        indexes = read([info for info in joining if _part_of(info.key) in parts])
        replaced = frozenset(name for index in indexes.values() for name in index.replaces)
        rest = [info for info in plain if _part_of(info.key) in parts.keys() - replaced] if small else []
        return _Folder(parts, indexes | read(rest), replaced, joining + plain)


def _read_index(store: Store, info: ObjectInfo) -> Index | None:
    """An index, or None for one that is damaged or gone: it is made anew."""
    try:
        data = store.get(info.key)
    except NotFound:
        return None
    if not info.key.endswith(f"-{hashlib.sha256(data).hexdigest()}{ENDING}"):
        log.warning("%s has other bytes than its name promises: it is made anew", info.key)
        return None
    table = pq.read_table(io.BytesIO(data))
    return Index(_part_of(info.key), tuple(key.hex() for key in table["sha256"].to_pylist()), _replaces(table.schema))


def _part_of(key: str) -> str:
    return key.rpartition("/")[2].split("-")[1]


def _replaces(schema: pa.Schema) -> frozenset[str]:
    return frozenset(json.loads((schema.metadata or {}).get(REPLACES, b"[]")))


def _bytes(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    # hashes and floats hardly repeat: neither dictionary encoding nor compression makes them smaller
    pq.write_table(table, buffer, use_dictionary=False, compression="none", write_statistics=False)
    return buffer.getvalue()
