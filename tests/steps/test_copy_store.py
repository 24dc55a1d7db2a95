"""`export-store` and `import-store`: everything comes back, and what is no archive is refused."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tasks.store import FolderStore

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
OBJECTS = {
    "media/films/text/é 1.txt": b"a film",
    "releases/films/1/model.bin": b"{}",
    "empty": b"",
    "big": b"x" * 5_000_000,
}


def run(command: str, store: Path, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Type the command."""
    environment = os.environ | {"RECSYS_STORE": store.as_uri(), "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "tasks", command]
    return subprocess.run(words, input=given, env=environment, capture_output=True, check=False)


def filled(folder: Path, objects: dict[str, bytes]) -> FolderStore:
    """A store with these objects."""
    store = FolderStore(folder)
    for key, data in objects.items():
        store.put(key, data)
    return store


def test_every_object_comes_back_in_another_store(tmp_path: Path) -> None:
    """Byte by byte; what was there before and is not in the archive stays; standard output is the archive alone."""
    filled(tmp_path / "from", OBJECTS)
    target = filled(tmp_path / "to", {"kept": b"1", "empty": b"other"})
    archive = run("export-store", tmp_path / "from")
    assert archive.returncode == 0
    assert b"4 objects" in archive.stderr
    done = run("import-store", tmp_path / "to", archive.stdout)
    assert done.returncode == 0, done.stderr
    assert {info.key: target.get(info.key) for info in target.list("")} == OBJECTS | {"kept": b"1"}


def test_an_empty_store_is_an_archive_too(tmp_path: Path) -> None:
    """Of nothing."""
    archive = run("export-store", tmp_path / "from")
    assert run("import-store", tmp_path / "to", archive.stdout).returncode == 0


@pytest.mark.parametrize("given", [b"", b"no archive at all" * 100, "cut"])
def test_what_is_no_whole_archive_is_refused(tmp_path: Path, given: bytes | str) -> None:
    """With one sentence."""
    filled(tmp_path / "from", OBJECTS)
    data = run("export-store", tmp_path / "from").stdout[:1_000_000] if given == "cut" else given
    assert isinstance(data, bytes)
    done = run("import-store", tmp_path / "to", data)
    assert done.returncode == 1
    assert b"cannot be read as an archive of export-store" in done.stderr
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("name", "kind"), [("../up", tarfile.REGTYPE), ("/etc/x", tarfile.REGTYPE), ("link", tarfile.SYMTYPE)]
)
def test_an_archive_cannot_lead_elsewhere(tmp_path: Path, name: str, kind: bytes) -> None:
    """Neither by a path nor by a link."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    done = run("import-store", tmp_path / "to", data.getvalue())
    assert done.returncode in {1, 2}
    assert b"expected" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) in ([], ["to"])
