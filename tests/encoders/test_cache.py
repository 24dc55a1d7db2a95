"""The cache of embeddings: by content and by encoder, append-only, and never trusted blindly."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.encoders.cache import EmbeddingCache, Known
from tasks.errors import Corrupt
from tasks.store import Store

WIDTH = 3
IDENTITY = "enc@0123456789ab-p1-float32"
S = {name: hashlib.sha256(name.encode()).hexdigest() for name in "abcdefghxy"}  # media by short names


def cache_of(store: Store, identity: str = IDENTITY, modality: str = "image", width: int = WIDTH) -> EmbeddingCache:
    """A cache as `extract` opens it."""
    return EmbeddingCache(store, identity, modality, width)


def vector(value: float) -> np.ndarray:
    """(WIDTH,) float32."""
    return np.full(WIDTH, value, dtype=np.float32)


def parts(store: Store) -> list[str]:
    """Keys of all parts."""
    return [info.key for info in store.list("embeddings/") if "/part-" in info.key]


def test_what_was_appended_is_found(folder_store: Store) -> None:
    """Vectors bit for bit, and the reasons of what has none, by another process too."""
    row = np.array([np.pi, -0.0, 1e-40], dtype=np.float32)
    cache_of(folder_store).append({S["a"]: row}, {S["b"]: "empty file"})
    known = cache_of(folder_store).read({S["a"], S["b"], S["c"]})
    assert known.vectors[S["a"]].tobytes() == row.tobytes()
    assert known.rejected == {S["b"]: "empty file"}
    assert [S["a"] in known, S["b"] in known, S["c"] in known] == [True, True, False]


def test_remarks_are_found(folder_store: Store) -> None:
    """Beside the vector of the medium that they are about."""
    cache_of(folder_store).append({S["a"]: vector(1), S["b"]: vector(2)}, {S["c"]: "empty file"}, {S["b"]: "silent"})
    known = cache_of(folder_store).read({S["a"], S["b"], S["c"]})
    assert (set(known.vectors), known.rejected, known.remarks) == (
        {S["a"], S["b"]},
        {S["c"]: "empty file"},
        {S["b"]: "silent"},
    )


def test_a_part_of_an_earlier_version_is_read(folder_store: Store) -> None:
    """It has no remarks, and its media are not encoded again."""
    cache_of(folder_store).append({S["a"]: vector(1)}, {S["b"]: "empty file"})
    (key,) = parts(folder_store)
    buffer = io.BytesIO()
    pq.write_table(pq.read_table(io.BytesIO(folder_store.get(key))).drop_columns(["remark"]), buffer)
    folder_store.delete(key)
    folder_store.put(
        f"{key.rpartition('/')[0]}/part-{hashlib.sha256(buffer.getvalue()).hexdigest()}.parquet", buffer.getvalue()
    )
    known = cache_of(folder_store).read({S["a"], S["b"]})
    assert (list(known.vectors), known.rejected, known.remarks) == ([S["a"]], {S["b"]: "empty file"}, {})


def test_only_what_is_wanted_is_read(folder_store: Store) -> None:
    """A night about few media does not hold the vectors of all."""
    cache_of(folder_store).append({S[name]: vector(1) for name in "abcd"}, {S["x"]: "empty file", S["y"]: "empty file"})
    known = cache_of(folder_store).read({S["b"], S["y"]})
    assert (list(known.vectors), list(known.rejected)) == ([S["b"]], [S["y"]])


def test_nothing_is_known_at_first(folder_store: Store) -> None:
    """An empty store is an empty cache, and appending nothing leaves it so."""
    cache_of(folder_store).append({}, {})
    assert parts(folder_store) == []
    assert len(cache_of(folder_store).read({S["a"]})) == 0


@pytest.mark.parametrize(
    ("identity", "modality"),
    [
        ("enc@ba9876543210-p1-float32", "image"),
        ("enc@0123456789ab-p2-float32", "image"),
        ("enc@0123456789ab-p1-bfloat16", "image"),
        ("other@0123456789ab-p1-float32", "image"),
        (IDENTITY, "audio"),
    ],
    ids=["weights", "preprocessing", "dtype", "name", "modality"],
)
def test_another_encoder_misses(folder_store: Store, identity: str, modality: str) -> None:
    """Change one part of the identity, and no vector of the old one is ever taken for one of the new."""
    cache_of(folder_store).append({S["a"]: vector(1)}, {S["b"]: "empty file"})
    assert len(cache_of(folder_store, identity, modality).read({S["a"], S["b"]})) == 0


def test_a_part_is_named_by_its_bytes(folder_store: Store) -> None:
    """So the same part written twice is one, and anyone can verify it."""
    for _ in range(2):
        cache_of(folder_store).append({S["a"]: vector(1)}, {})
    (key,) = parts(folder_store)
    assert key == f"embeddings/{IDENTITY}/image/part-{hashlib.sha256(folder_store.get(key)).hexdigest()}.parquet"


def test_rejected_media_have_no_vector_in_the_file(folder_store: Store) -> None:
    """For those who read a part with other tools: the vector is null, not zeros."""
    cache_of(folder_store).append({S["a"]: vector(2)}, {S["b"]: "empty file"})
    table = pq.read_table(io.BytesIO(folder_store.get(parts(folder_store)[0])))
    assert table.column_names == ["sha256", "reason", "vector", "remark"]
    assert table["vector"].to_pylist() == [[2.0, 2.0, 2.0], None]


def test_a_changed_part_is_named_and_not_used(folder_store: Store) -> None:
    """One flipped bit in one of two parts: the message says which to delete, and after that the other is still good."""
    cache = cache_of(folder_store)
    cache.append({S["a"]: vector(1)}, {})
    (good,) = parts(folder_store)
    cache.append({S["b"]: vector(2)}, {})
    (bad,) = set(parts(folder_store)) - {good}
    data = bytearray(folder_store.get(bad))
    data[len(data) // 2] ^= 1
    folder_store.put(bad, bytes(data))
    with pytest.raises(Corrupt, match=bad):
        cache.read({S["a"], S["b"]})
    folder_store.delete(bad)
    assert list(cache.read({S["a"], S["b"]}).vectors) == [S["a"]]


def put_part(store: Store, data: bytes) -> str:
    """A part whose name is right, whatever it holds."""
    key = f"embeddings/{IDENTITY}/image/part-{hashlib.sha256(data).hexdigest()}.parquet"
    store.put(key, data)
    return key


def test_a_part_of_another_width_is_refused(folder_store: Store) -> None:
    """Two vectors of width 3 are not three of width 2."""
    cache_of(folder_store).append({S["a"]: vector(1), S["b"]: vector(2)}, {})
    with pytest.raises(Corrupt, match=r"fixed_size_list<element: float>\[3\].*expected"):
        cache_of(folder_store, width=2).read({S["a"]})


def test_a_part_with_other_columns_is_refused(folder_store: Store) -> None:
    """With the columns it has in the message."""
    buffer = io.BytesIO()
    pq.write_table(pa.table({"media": [S["a"]], "v": [1.0]}), buffer)
    key = put_part(folder_store, buffer.getvalue())
    with pytest.raises(Corrupt, match=rf"{key} has columns media: string, v: double, expected sha256: string"):
        cache_of(folder_store).read({S["a"]})


def test_a_part_that_is_no_parquet_is_refused(folder_store: Store) -> None:
    """However well it is named."""
    key = put_part(folder_store, b"PAR1 not really")
    with pytest.raises(Corrupt, match=f"{key} is not a Parquet file"):
        cache_of(folder_store).read({S["a"]})


SHA = st.sampled_from([S[name] for name in "abcdefgh"])
PARTS = st.lists(st.tuples(st.dictionaries(SHA, st.floats(-1, 1, width=32)), st.dictionaries(SHA, st.just("bad"))))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PARTS, st.sets(SHA))
def test_many_parts_are_one_cache(folder_store: Store, written: list[tuple[dict, dict]], wanted: set[str]) -> None:  # type: ignore[type-arg]
    """Whatever was written in whichever parts: each wanted medium has a vector if any part has one, else its reason."""
    for info in list(folder_store.list("embeddings/")):
        folder_store.delete(info.key)
    cache = cache_of(folder_store)
    for vectors, rejected in written:
        cache.append({sha: vector(value) for sha, value in vectors.items()}, rejected)
    known: Known = cache.read(wanted)
    assert set(known.vectors) == wanted & {sha for vectors, _ in written for sha in vectors}
    assert set(known.rejected) == (wanted & {sha for _, rejected in written for sha in rejected}) - set(known.vectors)
    for sha, row in known.vectors.items():
        assert row[0] in {np.float32(vectors[sha]) for vectors, _ in written if sha in vectors}
        assert (row == row[0]).all()
