"""Parts of the embedding cache: indexes, and large parts that replace small ones."""

from __future__ import annotations

import hashlib
import io
import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from tasks.__main__ import main
from tasks.encoders import parts
from tasks.encoders.cache import EmbeddingCache
from tasks.encoders.parts import join_parts, list_replaced, open_parts
from tasks.store import Store

WIDTH, FOLDER = 3, "embeddings/enc@0123456789ab-p1-float32/image"
MEDIA = [hashlib.sha256(bytes([number])).hexdigest() for number in range(60)]


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.services)])
def store(request: pytest.FixtureRequest) -> Store:
    """Each kind of store in turn, with a cache of forty parts of one vector each."""
    opened: Store = request.getfixturevalue(f"{request.param}_store")
    for number in range(40):
        cache_of(opened).append({MEDIA[number]: row(number)}, {})
    return opened


def cache_of(store: Store) -> EmbeddingCache:
    """As `extract` opens it."""
    return EmbeddingCache(store, FOLDER.split("/")[1], "image", WIDTH)


def row(number: int) -> np.ndarray:
    """The vector of a medium."""
    return np.full(WIDTH, number, dtype=np.float32)


def names(store: Store, beginning: str) -> list[str]:
    """Keys of the parts or of the indexes."""
    return [info.key for info in store.list(f"{FOLDER}/{beginning}")]


class Reads:
    """A store that notes what is read of it."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.keys: list[str] = []
        get = store.get
        monkeypatch.setattr(store, "get", lambda key, **limit: (self.keys.append(key), get(key, **limit))[1])


def test_what_is_known_is_found_without_reading_a_part(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """32 bytes a medium and not its vector; a medium that is new is not found."""
    read = Reads(store, monkeypatch)
    assert cache_of(store).find({*MEDIA[:45]}) == {*MEDIA[:40]}
    assert len(read.keys) == 40
    assert all("/keys-" in key for key in read.keys)
    read.keys.clear()
    assert list(cache_of(store).read({MEDIA[7]}).vectors) == [MEDIA[7]]
    assert sum("/part-" in key for key in read.keys) == 1


def test_a_part_without_an_index_is_indexed_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an earlier version, or of a writer that was killed between the two."""
    for key in names(store, "keys-")[:5]:
        store.delete(key)
    read = Reads(store, monkeypatch)
    for parts_read in (5, 0):
        read.keys.clear()
        assert cache_of(store).find({*MEDIA}) == {*MEDIA[:40]}
        assert sum("/part-" in key for key in read.keys) == parts_read


@pytest.mark.parametrize("damage", [b"", b"PAR1", None])
def test_a_damaged_index_is_made_anew(folder_store: Store, damage: bytes | None) -> None:
    """It is never trusted: what it says follows from its part."""
    cache_of(folder_store).append({MEDIA[0]: row(0), MEDIA[1]: row(1)}, {})
    (key,) = names(folder_store, "keys-")
    data = bytearray(folder_store.get(key))
    data[40] ^= 1
    folder_store.put(key, bytes(data) if damage is None else damage)
    assert cache_of(folder_store).find({*MEDIA}) == {*MEDIA[:2]}
    assert names(folder_store, "keys-") == [key]


def test_small_parts_are_joined_and_stay_until_they_are_removed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Vectors, reasons and remarks are those of before, from one part; who has begun to read finds the others."""
    cache_of(store).append({MEDIA[40]: row(40)}, {MEDIA[41]: "empty file"}, {MEDIA[40]: "blank"})
    before, small = cache_of(store).read({*MEDIA}), names(store, "part-")
    assert join_parts(store, FOLDER) == (41, 1)
    assert set(small) < set(names(store, "part-"))
    read = Reads(store, monkeypatch)
    (large,) = open_parts(store, FOLDER)
    assert large not in small
    assert len(read.keys) == 1
    after = cache_of(store).read({*MEDIA})
    assert {media: vector.tolist() for media, vector in after.vectors.items()} == {
        media: vector.tolist() for media, vector in before.vectors.items()
    }
    assert (after.rejected, after.remarks) == (before.rejected, before.remarks)
    replaced = {info.key for info in list_replaced(store)}
    assert replaced == {*small, *names(store, "keys-")}
    for key in replaced:
        store.delete(key)
    assert cache_of(store).find({*MEDIA}) == {*MEDIA[:42]}
    assert list(list_replaced(store)) == []


def test_joining_again_does_nothing(store: Store) -> None:
    """Few small parts stay as they are: a night adds one."""
    join_parts(store, FOLDER)
    for number in range(40, 45):
        cache_of(store).append({MEDIA[number]: row(number)}, {})
    before = [info.key for info in store.list(f"{FOLDER}/")]
    assert join_parts(store, FOLDER) == (0, 0)
    assert [info.key for info in store.list(f"{FOLDER}/")] == before


def test_a_part_holds_so_many_bytes(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no reader needs the memory for all."""
    monkeypatch.setattr(parts, "BYTES", 10 * 4 * WIDTH)
    assert join_parts(store, FOLDER) == (40, 4)
    assert [len(index.media) for index in open_parts(store, FOLDER).values()] == [10, 10, 10, 10]


@pytest.mark.parametrize("keep", ["part", "both"])
def test_a_join_that_is_killed_leaves_the_cache_right(
    folder_store: Store, keep: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the part and its index, or between two parts."""
    for number in range(40):
        cache_of(folder_store).append({MEDIA[number]: row(number)}, {})
    monkeypatch.setattr(parts, "BYTES", 20 * 4 * WIDTH)
    join_parts(folder_store, FOLDER)
    large = list(open_parts(folder_store, FOLDER))
    part = large[1].rpartition("part-")[2].removesuffix(".parquet")
    (index,) = names(folder_store, f"joined-{part}-")
    folder_store.delete(index)
    if keep == "both":
        folder_store.delete(large[1])
    known = cache_of(folder_store).read({*MEDIA})
    assert {media: int(vector[0]) for media, vector in known.vectors.items()} == {MEDIA[n]: n for n in range(40)}


def test_of_a_medium_in_several_parts_one_row_is_kept(folder_store: Store) -> None:
    """Its vector, if any part has one."""
    for number in range(20):
        cache_of(folder_store).append({}, {MEDIA[0]: "empty file", MEDIA[number + 1]: "empty file"})
    cache_of(folder_store).append({MEDIA[0]: row(5), MEDIA[1]: row(6)}, {})
    join_parts(folder_store, FOLDER)
    (large,) = open_parts(folder_store, FOLDER)
    table = pq.read_table(io.BytesIO(folder_store.get(large)))
    assert sorted(table["sha256"].to_pylist()) == sorted(MEDIA[:21])
    known = cache_of(folder_store).read({*MEDIA})
    assert {media: int(vector[0]) for media, vector in known.vectors.items()} == {MEDIA[0]: 5, MEDIA[1]: 6}
    assert set(known.rejected) == {*MEDIA[2:21]}


def test_the_command_joins_all_caches(folder_store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """The closing line counts them."""
    for number in range(20):
        cache_of(folder_store).append({MEDIA[number]: row(number)}, {})
        EmbeddingCache(folder_store, "enc@b", "text", 2).append({MEDIA[number]: np.ones(2, dtype=np.float32)}, {})
    assert main(["compact-cache"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"caches": 2, "joined": 40, "made": 2}
