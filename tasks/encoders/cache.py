"""Embeddings by content: what was encoded once is never encoded again.

Append-only Parquet parts under `embeddings/<encoder identity>/<modality>/`, each named by the sha256 of its own bytes. The
encoder's identity is in the path, so another encoder misses by construction. Media that could not be decoded are kept too,
with the reason, so that a bad file is not tried anew every night.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.errors import Corrupt
from tasks.store import Store


@dataclass(frozen=True)
class Known:
    """What a cache holds of some media, by sha256: a vector or the reason why there is none."""

    vectors: dict[str, np.ndarray] = field(default_factory=dict)
    rejected: dict[str, str] = field(default_factory=dict)

    def __contains__(self, sha256: object) -> bool:
        return sha256 in self.vectors or sha256 in self.rejected


class EmbeddingCache:
    """The cache of one encoder for one modality."""

    def __init__(self, store: Store, identity: str, modality: str, width: int) -> None:
        self._store = store
        self._folder = f"embeddings/{identity}/{modality}"
        self._width = width

    def read(self, wanted: set[str]) -> Known:
        """What is known of the media `wanted`. Corrupt, naming the part, when one is not what its name promises."""
        found = Known()
        for info in self._store.list(f"{self._folder}/part-"):
            data = self._store.get(info.key)
            if f"part-{hashlib.sha256(data).hexdigest()}.parquet" != info.key.rpartition("/")[2]:
                raise Corrupt(f"{info.key} is not what its name promises, expected those bytes: delete it, its media are encoded again")
            self._add(found, pq.read_table(io.BytesIO(data)), wanted)
        return found

    def append(self, vectors: Mapping[str, np.ndarray], rejected: Mapping[str, str]) -> None:
        """Add one part: (width,) float32 by sha256, and reasons by sha256."""
        if not vectors and not rejected:
            return
        matrix = np.stack(list(vectors.values())) if vectors else np.zeros((0, self._width), np.float32)
        flat = np.concatenate([matrix, np.zeros((len(rejected), self._width), np.float32)]).reshape(-1)
        table = pa.table(
            {
                "sha256": pa.array([*vectors, *rejected], pa.string()),
                "reason": pa.array([None] * len(vectors) + list(rejected.values()), pa.string()),
                "vector": pa.FixedSizeListArray.from_arrays(pa.array(flat, pa.float32()), self._width),
            }
        )
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd")
        data = buffer.getvalue()
        self._store.put(f"{self._folder}/part-{hashlib.sha256(data).hexdigest()}.parquet", data)

    def _add(self, known: Known, table: pa.Table, wanted: set[str]) -> None:
        matrix = table["vector"].combine_chunks().flatten().to_numpy().reshape(-1, self._width)
        for row, (sha256, reason) in enumerate(zip(table["sha256"].to_pylist(), table["reason"].to_pylist(), strict=True)):
            if sha256 not in wanted or sha256 in known:
                continue
            if reason is None:
                known.vectors[sha256] = matrix[row].copy()
            else:
                known.rejected[sha256] = reason
