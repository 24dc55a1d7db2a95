"""Properties of a folder store only: temporary files, permissions, and keys that cannot leave the folder."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tasks.errors import BadInput, NotFound
from tasks.store import FolderStore, open_store


def test_a_file_that_is_being_written_is_not_listed(tmp_path: Path) -> None:
    """The temporary file of a killed writer is not an object."""
    store = FolderStore(tmp_path)
    store.put("a/b", b"data")
    (tmp_path / "a" / ".writing-0123").write_bytes(b"half")
    assert [info.key for info in store.list("")] == ["a/b"]


def test_a_failed_write_leaves_the_old_object_and_nothing_else(tmp_path: Path) -> None:
    """The temporary file is removed too."""
    store = FolderStore(tmp_path / "store")
    store.put("a/b", b"old")
    with pytest.raises(FileNotFoundError):
        store.put_file("a/b", tmp_path / "absent")
    with pytest.raises(TypeError):
        store.put("a/b", "text")  # type: ignore[arg-type]
    assert store.get("a/b") == b"old"
    assert len(list((tmp_path / "store" / "a").iterdir())) == 1


def test_a_listing_survives_what_is_deleted_meanwhile(tmp_path: Path) -> None:
    """A dangling link simulates a file that was deleted after it was listed."""
    store = FolderStore(tmp_path)
    store.put("a/b", b"data")
    (tmp_path / "a" / "gone").symlink_to(tmp_path / "nowhere")
    assert [info.key for info in store.list("a/")] == ["a/b"]


def test_objects_have_the_permissions_of_the_user(tmp_path: Path) -> None:
    """Users who share the folder through the umask can read the objects."""
    before = os.umask(0o027)
    try:
        FolderStore(tmp_path).put("k", b"data")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "k").stat().st_mode) == 0o640


@pytest.mark.parametrize("prefix", ["../", "a/../../", "/etc/"])
def test_a_listing_cannot_leave_the_folder(tmp_path: Path, prefix: str) -> None:
    """Prefixes follow the rule for keys."""
    with pytest.raises(BadInput, match="store key"):
        FolderStore(tmp_path).list(prefix)


@pytest.mark.parametrize(
    "url", ["", "folder", "file://host/folder", "file:folder", "s3://", "s3://bucket/path", "gs://bucket", "file://"]
)
def test_an_address_that_is_no_store_says_what_is(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no default, so nothing is written to an unintended place."""
    monkeypatch.setenv("RECSYS_STORE", url)
    with pytest.raises(BadInput, match="expected s3://bucket or file:///folder"):
        open_store()


def test_a_folder_with_blanks_in_its_name_can_be_named(tmp_path: Path) -> None:
    """Blanks are percent-encoded in the URL."""
    open_store(f"file://{tmp_path}/my%20store").put("k", b"data")
    assert (tmp_path / "my store" / "k").read_bytes() == b"data"


@pytest.fixture
def linked(tmp_path: Path) -> FolderStore:
    """A store with three links out of it: a file, a folder, and a name that nothing stands behind yet."""
    store = FolderStore(tmp_path / "store")
    store.put("media/1", b"data")
    outside = tmp_path / "store-too"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (store.root / "media/file").symlink_to(outside / "secret")
    (store.root / "media/folder").symlink_to(outside)
    (store.root / "media/new").symlink_to(outside / "new")
    (store.root / "media/itself").symlink_to("itself")
    return store


@pytest.mark.parametrize("key", ["media/file", "media/folder/secret", "media/folder/more/new", "media/new"])
@pytest.mark.parametrize(
    "call", ["put", "put_file", "get", "get_file", "stat", "copy from", "copy to", "delete", "replace"]
)
def test_no_call_follows_a_link_out_of_the_folder(linked: FolderStore, tmp_path: Path, call: str, key: str) -> None:
    """Whatever is done with it, in the last place or above; nothing outside is read, written, made or removed."""
    (tmp_path / "source").write_bytes(b"new")
    calls = {
        "put": lambda: linked.put(key, b"new"),
        "put_file": lambda: linked.put_file(key, tmp_path / "source"),
        "get": lambda: linked.get(key),
        "get_file": lambda: linked.get_file(key, tmp_path / "target"),
        "stat": lambda: linked.stat(key),
        "copy from": lambda: linked.copy(key, "media/2"),
        "copy to": lambda: linked.copy("media/1", key),
        "delete": lambda: linked.delete(key),
        "replace": lambda: linked.replace(key, b"secret", b"new"),
    }
    with pytest.raises(BadInput, match=r"is a link that leads to .*store-too.*, expected one that stays within"):
        calls[call]()
    outside = tmp_path / "store-too"
    assert [(path.name, path.read_bytes()) for path in outside.iterdir()] == [("secret", b"secret")]
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("prefix", ["", "media/", "media/folder/"])
def test_a_listing_names_a_link_out_of_the_folder(linked: FolderStore, prefix: str) -> None:
    """It is not left out in silence, nor are names and sizes from outside shown."""
    with pytest.raises(BadInput, match="is a link that leads to"):
        list(linked.list(prefix))


def test_a_link_to_itself_is_no_object(linked: FolderStore) -> None:
    """It leads nowhere; a new object takes its place."""
    with pytest.raises(NotFound):
        linked.get("media/itself")
    linked.put("media/itself", b"new")
    assert linked.get("media/itself") == b"new"


def test_links_within_the_folder_are_followed(tmp_path: Path) -> None:
    """And so is one to the folder itself."""
    FolderStore(tmp_path / "store").put("a/b", b"data")
    (tmp_path / "store/c").symlink_to("a")
    (tmp_path / "link").symlink_to(tmp_path / "store")
    assert FolderStore(tmp_path / "link").get("c/b") == b"data"


@pytest.mark.parametrize(
    "key", ["", "a//b", "/a", "a/", "..", "a/../b", "a\\b", "a\0b", "a\n", "a" * 300, "ä" * 200, "a/" * 600 + "a"]
)
def test_a_key_is_a_plain_path_that_every_store_can_hold(tmp_path: Path, key: str) -> None:
    """One sentence, also for names that only the file system would refuse."""
    with pytest.raises(BadInput, match="store key"):
        FolderStore(tmp_path).get(key)
