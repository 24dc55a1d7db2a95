"""The interaction log in columns: integer codes into vocabularies of the user's own ids."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.errors import BadInput


@dataclass(frozen=True)
class Interactions:
    """n interactions of U users with I items.

    `users`, `items`: (n,) int32 codes into `user_ids` (U,) and `item_ids` (I,), which hold strings, each once, each used.
    `timestamps`: (n,) int64 seconds, `labels`: (n,) int8 of 0 (train), 1 (valid), 2 (test); None where the log has none.
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
        for name in ("user", "item"):
            codes, ids = getattr(self, f"{name}s"), getattr(self, f"{name}_ids")
            if len(codes) and not 0 <= codes.min() <= codes.max() < len(ids):
                raise BadInput(f"{name} codes from {codes.min()} to {codes.max()} found, expected codes into {len(ids)} ids")
        if self.labels is not None and len(self.labels) and not np.isin(self.labels, (0, 1, 2)).all():
            raise BadInput(f"labels {np.unique(self.labels)[:5].tolist()} found, expected 0 (train), 1 (valid) and 2 (test)")

    def __len__(self) -> int:
        return len(self.users)

    @property
    def counts(self) -> dict[str, int]:
        """Interactions, users and items."""
        return {"interactions": len(self), "users": len(self.user_ids), "items": len(self.item_ids)}

    def take(self, rows: np.ndarray) -> Interactions:
        """The interactions at `rows` (a mask or positions); ids that are no longer used leave the vocabularies."""
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
        """The same interactions with another split."""
        return replace(self, labels=labels.astype(np.int8, copy=False))

    def save(self, path: Path) -> None:
        """Write .parquet: ids as dictionaries, so that 25 million rows stay small."""
        columns = {
            "user_id": _dictionary(self.users, self.user_ids),
            "item_id": _dictionary(self.items, self.item_ids),
        }
        if self.timestamps is not None:
            columns["timestamp"] = pa.array(self.timestamps, pa.int64())
        if self.labels is not None:
            columns["x_label"] = pa.array(self.labels, pa.int8())
        pq.write_table(pa.table(columns), path, compression="zstd")

    @classmethod
    def load(cls, path: Path) -> Interactions:
        """Read what `save` wrote; BadInput when it is something else."""
        try:
            table = pq.read_table(path, read_dictionary=["user_id", "item_id"])
        except (pa.ArrowInvalid, OSError) as error:
            raise BadInput(f"{path.name} is not an interactions file: {' '.join(str(error).split())[:200]}") from error
        missing = {"user_id", "item_id"} - set(table.column_names)
        if missing:
            raise BadInput(f"{path.name} has columns {table.column_names}, expected also {sorted(missing)}")
        users, user_ids = codes_of(table["user_id"])
        items, item_ids = codes_of(table["item_id"])
        return cls(
            users=users,
            items=items,
            user_ids=user_ids,
            item_ids=item_ids,
            timestamps=_numbers(table, "timestamp", np.int64),
            labels=_numbers(table, "x_label", np.int8),
        )


def codes_of(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) int32 codes and the strings they stand for, in order of first appearance, of a string column without nulls."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    joined = column.unify_dictionaries()
    codes = np.empty(len(joined), dtype=np.int32)
    start = 0
    for chunk in joined.chunks:
        codes[start : start + len(chunk)] = chunk.indices.to_numpy(zero_copy_only=False)
        start += len(chunk)
    ids = joined.chunk(0).dictionary.to_pylist() if joined.num_chunks else []
    return _compact(codes, np.array(ids, dtype=np.str_))


def _compact(codes: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Renumber `codes` so that every id is used, keeping the order of `ids`."""
    used = np.bincount(codes, minlength=len(ids)) > 0
    if used.all():
        return codes.astype(np.int32, copy=False), ids
    renumbered = np.cumsum(used, dtype=np.int32) - np.int32(1)
    return renumbered[codes], ids[used]


def _dictionary(codes: np.ndarray, ids: np.ndarray) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(ids.tolist(), pa.string()))


def _numbers(table: pa.Table, name: str, kind: type[np.generic]) -> np.ndarray | None:
    if name not in table.column_names:
        return None
    return np.asarray(table[name].to_numpy().astype(kind))
