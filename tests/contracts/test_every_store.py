"""The contract of every store, tested on a folder and on a real S3 server."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tasks.errors import BadInput, Corrupt, NotFound
from tasks.store import FolderStore, Store, has_artefact, read_artefact, write_artefact
from tasks.store.s3 import S3Store


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.services)])
def store(request: pytest.FixtureRequest) -> Store:
    """Return each kind of store in turn, empty."""
    opened: Store = request.getfixturevalue(f"{request.param}_store")
    return opened


def test_what_was_put_is_got(store: Store, tmp_path: Path) -> None:
    """Bytes and files are returned unchanged, by either method."""
    store.put("a/b.bin", b"one")
    (tmp_path / "f").write_bytes(b"two" * 100_000)
    store.put_file("a/c.bin", tmp_path / "f")
    store.get_file("a/c.bin", tmp_path / "g")
    assert store.get("a/b.bin") == b"one"
    assert (tmp_path / "g").read_bytes() == b"two" * 100_000


def test_a_second_put_replaces_the_first_and_changes_the_etag(store: Store) -> None:
    """The etag changes with the content."""
    store.put("k", b"one")
    before = store.stat("k").etag
    store.put("k", b"three")
    assert store.get("k") == b"three"
    assert store.stat("k").etag != before


def test_listing_is_recursive_sorted_and_by_prefix(store: Store) -> None:
    """Only keys with the prefix are listed, sorted, at any depth."""
    for key in ("m/z/1.jpg", "m/a/b/2.jpg", "m/a/0.jpg", "n/3.jpg", "m/ä é+:.jpg"):
        store.put(key, key.encode())
    assert [info.key for info in store.list("m/")] == ["m/a/0.jpg", "m/a/b/2.jpg", "m/z/1.jpg", "m/ä é+:.jpg"]
    assert [info.size for info in store.list("n/")] == [7]
    assert all(abs(datetime.now(UTC) - info.modified) < timedelta(days=1) for info in store.list("m/"))
    assert store.stat("n/3.jpg").modified.tzinfo is not None
    assert list(store.list("absent/")) == []


@pytest.mark.parametrize("verb", ["get", "stat"])
def test_an_absent_key_is_named(store: Store, verb: str) -> None:
    """NotFound names the key and the store."""
    with pytest.raises(NotFound, match="no/such"):
        getattr(store, verb)("no/such")


def test_absent_sources_and_targets(store: Store, tmp_path: Path) -> None:
    """Copying an absent key fails, deleting it does nothing, and a failed download leaves no file."""
    with pytest.raises(NotFound):
        store.copy("no/such", "x")
    with pytest.raises(NotFound):
        store.get_file("no/such", tmp_path / "f")
    store.delete("no/such")
    assert list(tmp_path.glob("f*")) == []


def test_a_copy_has_the_same_bytes(store: Store) -> None:
    """copy() does not change the source."""
    store.put("a", b"data")
    store.copy("a", "b/c")
    assert store.get("a") == store.get("b/c") == b"data"


def test_a_deleted_object_is_gone(store: Store) -> None:
    """It is neither listed nor readable."""
    store.put("a/b", b"data")
    store.delete("a/b")
    assert list(store.list("a/")) == []


@pytest.mark.parametrize("key", ["", "/a", "a//b", "../a", "a/../b", "a/.", "a\\b"])
def test_a_key_that_could_lead_elsewhere_is_refused(store: Store, key: str) -> None:
    """Keys are plain relative paths."""
    with pytest.raises(BadInput, match="store key"):
        store.put(key, b"")


def test_a_too_large_object_is_refused_before_it_is_read(store: Store) -> None:
    """`limit` bounds the memory for an untrusted object."""
    store.put("k", b"x" * 100)
    with pytest.raises(BadInput, match="100 bytes, expected at most 99"):
        store.get("k", limit=99)


def test_a_reader_never_sees_half_a_write(store: Store) -> None:
    """While two versions are written in turn, every read returns one of them completely."""
    versions = [bytes([n]) * 300_000 for n in (1, 2)]
    store.put("k", versions[0])
    done = threading.Event()

    def write() -> None:
        for n in range(12):
            store.put("k", versions[n % 2])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        assert store.get("k") in versions
    writer.join()


def test_bytes_are_replaced_only_if_they_are_still_the_same(store: Store) -> None:
    """Compare-and-swap: an absent key is NotFound, and a caller that saw other bytes is told so."""
    with pytest.raises(NotFound, match="no/such"):
        store.replace("no/such", b"", b"one")
    store.put("k", b"one")
    assert not store.replace("k", b"two", b"three")
    assert store.get("k") == b"one"
    assert store.replace("k", b"one", b"two")
    assert store.get("k") == b"two"
    assert [info.key for info in store.list("")] == ["k"]


def test_of_many_replacements_at_once_one_succeeds(store: Store) -> None:
    """So nobody's change is lost without notice."""
    for number in range(5):
        store.put("k", b"old")
        won: list[bytes] = []

        def replace(new: bytes, won: list[bytes] = won) -> None:
            if store.replace("k", b"old", new):
                won.append(new)

        threads = [threading.Thread(target=replace, args=(b"%d-%d" % (number, each),)) for each in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert won == [store.get("k")]


def test_an_artefact_comes_back_as_it_was(store: Store) -> None:
    """Arrays, tables, JSON and tensors round-trip, and the manifest describes them."""
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    table = pd.DataFrame({"item_id": ["a", "b", "c"], "idx": [0, 1, 2]})
    with write_artefact(store, "runs/r/step", parameters={"k": 5}, seed=3, encoder="e") as out:
        out.array("x.npy", array)
        out.frame("t.csv", table)
        out.frame("t.parquet", table)
        out.json("j.json", {"a": [1, 2]})
        out.tensors("m.safetensors", {"w": torch.ones(2, 2)})
        out.counts["items"] = 3
    artefact = read_artefact(store, "runs/r/step")
    np.testing.assert_array_equal(artefact.array("x.npy"), array)
    pd.testing.assert_frame_equal(artefact.frame("t.csv"), table)
    assert artefact.frame("t.parquet")["idx"].tolist() == [0, 1, 2]
    assert artefact.json("j.json") == {"a": [1, 2]}
    assert torch.equal(artefact.tensors("m.safetensors")["w"], torch.ones(2, 2))
    assert artefact.manifest.files["x.npy"].shape == (3, 4)
    assert artefact.manifest.files["t.csv"].rows == 3
    assert (artefact.manifest.counts, artefact.manifest.seed, artefact.manifest.parameters) == (
        {"items": 3},
        3,
        {"k": 5},
    )


def test_an_object_is_moved_in_place_of_another(store: Store) -> None:
    """Under its new key alone; what is not there cannot be moved."""
    store.put("a/x", b"new")
    store.put("b/y", b"old")
    store.move("a/x", "b/y")
    assert (store.get("b/y"), [info.key for info in store.list("a/")]) == (b"new", [])
    with pytest.raises(NotFound):
        store.move("a/x", "b/y")


def test_a_manifest_names_what_it_was_made_from(store: Store) -> None:
    """Inputs are identified by the hash of their manifest."""
    with write_artefact(store, "a") as out:
        out.json("x.json", 1)
    first = read_artefact(store, "a")
    with write_artefact(store, "b", inputs=[first]) as out:
        out.json("y.json", 2)
    assert read_artefact(store, "b").manifest.inputs == {"a": first.manifest.content}


def test_an_artefact_that_was_not_finished_is_invisible(store: Store) -> None:
    """Without a manifest there is no artefact: an exception while writing leaves nothing readable."""

    def write() -> None:
        with write_artefact(store, "half") as out:
            out.json("x.json", 1)
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        write()
    assert not has_artefact(store, "half")
    with pytest.raises(NotFound, match="half"):
        read_artefact(store, "half")


def test_a_retry_replaces_the_whole_artefact(store: Store) -> None:
    """Files of the first attempt that the second does not write are not part of it."""
    for names in (["old.json", "both.json"], ["both.json"]):
        with write_artefact(store, "r") as out:
            for name in names:
                out.json(name, names)
    artefact = read_artefact(store, "r")
    assert list(artefact.manifest.files) == ["both.json"]
    with pytest.raises(NotFound, match=r"old\.json"):
        artefact.path("old.json")


@pytest.mark.fault("F4")
@pytest.mark.parametrize("call", ["put_file", "move"])
def test_a_retry_that_dies_mixes_nothing(store: Store, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """While it uploads, the earlier artefact stays; while files take their places there is none; then all is well."""
    with write_artefact(store, "r") as out:
        out.json("x.json", "old")
    done = getattr(type(store), call)

    def dies(self: Store, key: str, other: Path | str) -> None:
        done(self, key, other)
        raise RuntimeError("killed")

    def again() -> None:
        with write_artefact(store, "r") as out:
            out.json("x.json", "new")

    with monkeypatch.context() as patch:
        patch.setattr(type(store), call, dies)
        with pytest.raises(RuntimeError, match="killed"):
            again()
    if call == "put_file":
        assert read_artefact(store, "r").json("x.json") == "old"
    else:
        assert not has_artefact(store, "r")
    again()
    assert read_artefact(store, "r").json("x.json") == "new"


def test_one_changed_byte_is_noticed(store: Store) -> None:
    """Every file is verified against the manifest when it is read."""
    with write_artefact(store, "r") as out:
        out.array("x.npy", np.zeros(4, dtype=np.float32))
    data = bytearray(store.get("r/x.npy"))
    data[-1] ^= 1
    store.put("r/x.npy", bytes(data))
    with pytest.raises(Corrupt, match=r"r/x\.npy has sha256"):
        read_artefact(store, "r").array("x.npy")


def test_a_manifest_that_is_none_is_refused(store: Store) -> None:
    """Unknown or missing keys mean that it is not one of our manifests."""
    store.put("r/manifest.json", b'{"files": {}}')
    with pytest.raises(Corrupt, match="not a manifest"):
        read_artefact(store, "r")


@pytest.mark.parametrize("name", ["manifest.json", "a/b.json", "..", ""])
def test_a_file_of_an_artefact_has_a_plain_name(store: Store, name: str) -> None:
    """No file can replace the manifest or be outside the artefact."""

    def write() -> None:
        with write_artefact(store, "r") as out:
            out.json(name, 1)

    with pytest.raises(BadInput, match="file name"):
        write()


def test_arrays_of_objects_are_refused(store: Store) -> None:
    """No pickles are written."""

    def write() -> None:
        with write_artefact(store, "r") as out:
            out.array("x.npy", np.array([{}], dtype=object))

    with pytest.raises(BadInput, match="Python objects"):
        write()


def test_writes_that_did_not_end_are_listed_and_dropped(store: Store) -> None:
    """By names that no object has; what was written to its end is not among them."""
    store.put("runs/r/scan/plan.json", b"{}")
    assert list(store.list_unfinished()) == []
    if isinstance(store, FolderStore):
        (store.root / "runs/r/.writing-1").write_bytes(b"half")
    else:
        assert isinstance(store, S3Store)
        store._client._create_multipart_upload(store.bucket, "runs/r/model.safetensors", {})
    (name,) = store.list_unfinished()
    assert [info.key for info in store.list("")] == ["runs/r/scan/plan.json"]
    for _ in range(2):
        store.drop_unfinished(name)
    assert list(store.list_unfinished()) == []
    assert store.get("runs/r/scan/plan.json") == b"{}"
