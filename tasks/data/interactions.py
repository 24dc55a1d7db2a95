"""The interaction log in columns: integer codes into vocabularies of external ids."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.data.ids import RULE, compose_ids, first_odd, quote
from tasks.errors import BadInput, one_line


@dataclass(frozen=True)
class Interactions:
    """n interactions of U users with I items.

    `users`, `items`: (n,) int32 codes into `user_ids` (U,) and `item_ids` (I,), which hold strings, each once.
    `timestamps`: (n,) int64 seconds since 1970, `labels`: (n,) int8 of 0 (train), 1 (valid), 2 (test); None if the log
    has none.
    """

    users: np.ndarray
    items: np.ndarray
    user_ids: np.ndarray
    item_ids: np.ndarray
    timestamps: np.ndarray | None = None
    labels: np.ndarray | None = None

    def __post_init__(self) -> None:
        for name in ("items", "timestamps", "labels"):
            column = getattr(self, name)
            if column is not None and len(column) != len(self.users):
                raise BadInput(f"{len(column)} {name} found, expected one for each of {len(self.users)} interactions")
        for kind in ("user", "item"):
            codes, ids = getattr(self, f"{kind}s"), getattr(self, f"{kind}_ids")
            if codes.dtype != np.int32:
                raise BadInput(f"{kind} codes of type {codes.dtype} found, expected int32")
            if len(codes) and not 0 <= codes.min() <= codes.max() < len(ids):
                raise BadInput(
                    f"{kind} codes from {codes.min()} to {codes.max()} found, expected codes into {len(ids)} ids"
                )
        if self.labels is not None and len(self.labels) and not 0 <= self.labels.min() <= self.labels.max() <= 2:
            odd = sorted(set(np.unique(self.labels).tolist()) - {0, 1, 2})[:5]
            raise BadInput(f"labels {odd} found, expected 0 (train), 1 (valid) and 2 (test)")

    def __len__(self) -> int:
        return len(self.users)

    @property
    def counts(self) -> dict[str, int]:
        """Numbers of interactions, users and items."""
        return {"interactions": len(self), "users": len(self.user_ids), "items": len(self.item_ids)}

    def take(self, rows: np.ndarray) -> Interactions:
        """Return the interactions at `rows` (a mask or positions); unused ids are removed from the vocabularies."""
        users, user_ids = _compact(self.users[rows], self.user_ids)
        items, item_ids = _compact(self.items[rows], self.item_ids)
        return Interactions(
            users=users,
            items=items,
            user_ids=user_ids,
            item_ids=item_ids,
            timestamps=None if self.timestamps is None else self.timestamps[rows],
            labels=None if self.labels is None else self.labels[rows],
        )

    def with_labels(self, labels: np.ndarray) -> Interactions:
        """Return the same interactions with other split labels."""
        return replace(self, labels=labels.astype(np.int8, copy=False))

    def save(self, path: Path) -> None:
        """Write a Parquet file; ids are dictionary-encoded, so that 25 million rows stay small."""
        columns = {"user_id": _dictionary(self.users, self.user_ids), "item_id": _dictionary(self.items, self.item_ids)}
        if self.timestamps is not None:
            columns["timestamp"] = pa.array(self.timestamps, pa.int64())
        if self.labels is not None:
            columns["x_label"] = pa.array(self.labels, pa.int8())
        pq.write_table(pa.table(columns), path, compression="zstd")

    @classmethod
    def load(cls, path: Path) -> Interactions:
        """Read a file written by `save`; raises BadInput for any other file."""
        try:
            table = pq.read_table(path, read_dictionary=["user_id", "item_id"])
        except (pa.ArrowInvalid, OSError) as error:
            raise BadInput(f"{path.name} is not an interactions file: {one_line(error)}") from error
        missing = {"user_id", "item_id"} - set(table.column_names)
        if missing:
            raise BadInput(f"{path.name} has columns {table.column_names}, expected also {sorted(missing)}")
        users, user_ids = codes_of(table["user_id"], f"user_id of {path.name}")
        items, item_ids = codes_of(table["item_id"], f"item_id of {path.name}")
        return cls(
            users=users,
            items=items,
            user_ids=user_ids,
            item_ids=item_ids,
            timestamps=_integers(table, "timestamp", pa.int64(), path),
            labels=_integers(table, "x_label", pa.int8(), path),
        )


def codes_of(column: pa.ChunkedArray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return codes (n,) int32 and their ids, in order of first appearance, of a column of strings or integers.

    Ids are composed (NFC). Raises BadInput with the first bad row (from 1) for other types, nulls and ids that break
    the rule, and for an id that is written both composed and not.
    """
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind)):
        raise BadInput(f"{name} is of type {kind}, expected ids that are text or whole numbers")
    if column.null_count:
        row = int(np.argmax(column.is_null().to_numpy())) + 1
        raise BadInput(f"{name} has no id in row {row} ({column.null_count} such rows), expected one in each row")
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()  # before the conversion to text: there are few ids but many rows
    column = column.unify_dictionaries()
    codes = np.empty(len(column), dtype=np.int32)
    start = 0
    for chunk in column.chunks:
        codes[start : start + len(chunk)] = chunk.indices.to_numpy()
        start += len(chunk)
    words = column.chunk(0).dictionary.cast(pa.string()).to_pylist() if column.num_chunks else []
    odd = first_odd("" if word is None else word for word in words)
    if odd is not None:
        row = int(np.argmax(codes == odd)) + 1
        raise BadInput(f"{name} has the id {quote(words[odd] or '')} in row {row}, expected {RULE}")
    codes, used = _compact(codes, np.array(words, dtype=np.str_))
    return codes, used if all(map(str.isascii, words)) else np.array(compose_ids(used.tolist(), name), dtype=np.str_)


def _compact(codes: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Renumber `codes` so that every id is used; keeps the order of `ids`."""
    used = np.bincount(codes, minlength=len(ids)) > 0
    if used.all():
        return codes, ids
    renumbered = np.cumsum(used, dtype=np.int32) - np.int32(1)
    return renumbered[codes], ids[used]


def _dictionary(codes: np.ndarray, ids: np.ndarray) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(ids.tolist(), pa.string()))


def _integers(table: pa.Table, name: str, kind: pa.DataType, path: Path) -> np.ndarray | None:
    if name not in table.column_names:
        return None
    column = table[name]
    if column.type != kind or column.null_count:
        raise BadInput(f"{path.name} has {name} of type {column.type}, expected {kind} without nulls")
    return np.asarray(column.to_numpy())
