"""The archive of a store: right also while others write to it and remove from it."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.errors import Corrupt
from tasks.store import FolderStore, Store, read_artefact, write_artefact
from tasks.store.archive import Archive
from tasks.store.pointers import current, point


def put_artefact(store: Store, prefix: str, text: str = "one") -> None:
    """Three files, of which two come before the manifest by name and one after it."""
    with write_artefact(store, prefix) as out:
        for name in ("a.json", "b.json", "z.json"):
            out.json(name, f"{text} {name}")


@pytest.fixture
def store(folder_store: Store) -> FolderStore:
    """Media, a log with its pointer, a run and a release."""
    assert isinstance(folder_store, FolderStore)
    for number in range(3):
        folder_store.put(f"media/films/text/{number}.txt", b"a film")
    for prefix in ("interactions/films/one", "runs/r/scan", "releases/films/r1", "releases/films/r2"):
        put_artefact(folder_store, prefix)
    point(folder_store, "interactions/films", "one")
    return folder_store


def when(store: FolderStore, monkeypatch: pytest.MonkeyPatch, key: str, do: Callable[[], object]) -> None:
    """Do something once, just before an object is read."""
    read, left = store.get_file, [do]

    def late(wanted: str, path: Path) -> None:
        if wanted == key and left:
            left.pop()()
        read(wanted, path)

    monkeypatch.setattr(store, "get_file", late)


def restored(store: FolderStore, folder: Path) -> tuple[Archive, FolderStore]:
    """The archive, and a store that was made of it: everything that it says is complete is read."""
    buffer, target = io.BytesIO(), FolderStore(folder / "restored")
    with tarfile.open(fileobj=buffer, mode="w|") as tar:
        archive = Archive(store, tar)
        archive.write_all()
    buffer.seek(0)
    with tarfile.open(fileobj=buffer, mode="r|") as tar:
        for member in tar:
            source = tar.extractfile(member)
            assert source is not None
            target.put(member.name, source.read())
    for info in target.list(""):
        if info.key.endswith("/manifest.json"):
            read_artefact(target, info.key.removesuffix("/manifest.json")).verify()
    version = current(target, "interactions/films")
    assert version is not None
    read_artefact(target, version)
    return archive, target


def content(store: Store) -> dict[str, bytes]:
    """Every object."""
    return {info.key: store.get(info.key) for info in store.list("")}


def test_everything_is_in_it(store: FolderStore, tmp_path: Path) -> None:
    """Byte by byte, manifests after their files and pointers last."""
    archive, target = restored(store, tmp_path)
    assert content(target) == content(store)
    assert (archive.objects, archive.vanished) == (20, 0)


@pytest.mark.parametrize("at", ["a.json", "z.json"])
def test_a_release_that_is_removed_meanwhile_is_left_out(
    store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """As garbage collection does; whatever was read of it before is no release."""

    def remove() -> None:
        for name in ("manifest.json", "a.json", "b.json", "z.json"):
            store.delete(f"releases/films/r1/{name}")

    when(store, monkeypatch, f"releases/films/r1/{at}", remove)
    archive, target = restored(store, tmp_path)
    assert archive.vanished > 0
    assert not [key for key in content(target) if key == "releases/films/r1/manifest.json"]
    assert read_artefact(target, "releases/films/r2").json("z.json") == "one z.json"


@pytest.mark.parametrize("at", ["a.json", "z.json"])
def test_an_artefact_that_is_replaced_meanwhile_is_whole(
    store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """All of its files are of one version."""
    when(store, monkeypatch, f"runs/r/scan/{at}", lambda: put_artefact(store, "runs/r/scan", "two"))
    _, target = restored(store, tmp_path)
    assert [read_artefact(target, "runs/r/scan").json(f"{name}.json")[:3] for name in "abz"] == ["two"] * 3


def test_a_log_that_is_loaded_meanwhile_is_there_if_the_pointer_names_it(
    store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not in the store when the objects were listed."""

    def load() -> None:
        put_artefact(store, "interactions/films/two", "two")
        point(store, "interactions/films", "two")

    when(store, monkeypatch, "runs/r/scan/a.json", load)
    _, target = restored(store, tmp_path)
    assert current(target, "interactions/films") == "interactions/films/two"
    assert read_artefact(target, "interactions/films/two").json("a.json") == "two a.json"


def test_a_plain_object_that_vanishes_is_no_error(
    store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A medium that somebody took away."""
    when(store, monkeypatch, "media/films/text/1.txt", lambda: store.delete("media/films/text/1.txt"))
    archive, target = restored(store, tmp_path)
    assert archive.vanished == 1
    assert content(target) == content(store)


@pytest.mark.parametrize("damage", ["remove", "change", "manifest", "pointer"])
def test_an_artefact_that_is_not_whole_is_named(store: FolderStore, tmp_path: Path, damage: str) -> None:
    """A file is gone or changed while the manifest stands: nobody would miss it before a restore."""
    if damage == "remove":
        store.delete("releases/films/r1/b.json")
    elif damage == "change":
        store.put("releases/films/r1/b.json", json.dumps("other").encode())
    elif damage == "manifest":
        store.put("releases/films/r1/manifest.json", b"{}")
    else:
        store.put("interactions/films/current.json", b"{}")
    named = {
        "manifest": "releases/films/r1/manifest.json is not a manifest",
        "pointer": "current.json is not a pointer",
    }
    with pytest.raises(Corrupt, match=named.get(damage, r"releases/films/r1 has not the files .*b\.json")):
        restored(store, tmp_path)
