"""The cache of embeddings by content hash: no file is encoded twice.

Parquet parts under `embeddings/<encoder identity>/<modality>/`, with indexes (`tasks/encoders/parts.py`). The encoder's
identity is in the path, so another encoder has another cache. Media that could not be decoded are stored too, with the
reason, so that a bad file is not tried again in every run; and what was remarked on when a medium was decoded. Parts of
earlier versions have no remarks.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.encoders.parts import READERS, open_parts, read_part, require_schema, schema_of, width_of, write_part
from tasks.errors import TaskError
from tasks.store import Store
from tasks.store.layout import embeddings_folder


@dataclass(frozen=True)
class Known:
    """Cached results by sha256: an embedding (width,) float32, or the reason why there is none.

    remarks: of media with an embedding, those that have hardly anything in them (`tasks.media.remarks`).
    """

    vectors: dict[str, np.ndarray] = field(default_factory=dict)
    rejected: dict[str, str] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)

    def __contains__(self, sha256: object) -> bool:
        return sha256 in self.vectors or sha256 in self.rejected

    def __len__(self) -> int:
        return len(self.vectors) + len(self.rejected)

    def update(self, other: Known) -> None:
        """Add the results of another."""
        self.vectors.update(other.vectors)
        self.rejected.update(other.rejected)
        self.remarks.update(other.remarks)

    def clear(self) -> None:
        """Forget everything."""
        self.vectors.clear()
        self.rejected.clear()
        self.remarks.clear()


class EmbeddingCache:
    """The cache of one encoder for one modality. Without a `width` of its vectors it can be read, and not added to."""

    def __init__(self, store: Store, identity: str, modality: str, width: int | None = None) -> None:
        self._store = store
        self._folder = embeddings_folder(identity, modality)
        self._width = width

    def find(self, wanted: set[str]) -> set[str]:
        """Return which of the media `wanted` have a result, from the indexes alone."""
        found: set[str] = set()
        for index in open_parts(self._store, self._folder).values():
            found.update(wanted.intersection(index.media))
        return found

    def read(self, wanted: set[str]) -> Known:
        """Return the cached results of the media `wanted`; only parts that hold some of them are read.

        Raises Corrupt, naming the part, if its hash is wrong or its vectors have another width than those of others.
        """
        opened = open_parts(self._store, self._folder)
        keys = [key for key, index in opened.items() if not wanted.isdisjoint(index.media)]
        known = Known()
        with ThreadPoolExecutor(READERS) as pool:
            width = self._width
            for key, table in zip(keys, pool.map(self._part, keys), strict=True):
                width = width or width_of(table)
                require_schema(key, table, width)
                mask = [sha256 in wanted for sha256 in table["sha256"].to_pylist()]
                self._add(known, table.filter(pa.array(mask, pa.bool_())))
        for sha256 in known.vectors:
            known.rejected.pop(sha256, None)
        return known

    def append(
        self, vectors: Mapping[str, np.ndarray], rejected: Mapping[str, str], remarks: Mapping[str, str] | None = None
    ) -> None:
        """Add one part: (width,) float32, reasons and remarks by sha256. Writes no empty part."""
        if not vectors and not rejected:
            return
        if (width := self._width) is None:
            raise TaskError(f"a cache without a width found, expected that of the vectors of {self._folder}")
        matrix = np.zeros((len(vectors) + len(rejected), width), dtype=np.float32)
        matrix[: len(vectors)] = list(vectors.values()) or 0.0
        reasons = pa.array([None] * len(vectors) + list(rejected.values()), pa.string())
        columns = [
            pa.array([*vectors, *rejected], pa.string()),
            reasons,
            pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1)), self._width, mask=pc.is_valid(reasons)),
            pa.array([(remarks or {}).get(sha256) for sha256 in (*vectors, *rejected)], pa.string()),
        ]
        write_part(self._store, self._folder, pa.table(columns, schema=schema_of(width)))

    def _part(self, key: str) -> pa.Table:
        return read_part(self._store, key)

    def _add(self, known: Known, table: pa.Table) -> None:
        good, bad = table.filter(pc.is_null(table["reason"])), table.filter(pc.is_valid(table["reason"]))
        matrix = good["vector"].combine_chunks().flatten().to_numpy().reshape(-1, width_of(table))
        known.vectors.update(zip(good["sha256"].to_pylist(), matrix, strict=True))
        known.rejected.update(zip(bad["sha256"].to_pylist(), bad["reason"].to_pylist(), strict=True))
        odd = good.filter(pc.is_valid(good["remark"]))
        known.remarks.update(zip(odd["sha256"].to_pylist(), odd["remark"].to_pylist(), strict=True))
