"""Properties of a folder store only: temporary files, permissions, and keys that cannot leave the folder."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tasks.errors import BadInput
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
