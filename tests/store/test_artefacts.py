"""Files and manifests: refusals, recorded facts, and the state after a killed writer."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tasks.errors import BadInput, Corrupt, NotFound, TaskError
from tasks.store import Artefact, Store, artefacts, has_artefact, read_artefact, write_artefact
from tasks.store.artefacts import code_version
from tasks.store.folder import FolderStore
from tasks.store.manifest import MANIFEST

ROOT = Path(__file__).resolve().parents[2]
KILLED = """
import os, signal, sys
from tasks.store import open_store, write_artefact
store = open_store()
put_file, left = type(store).put_file, int(sys.argv[1])
def dying(self, key, path):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    put_file(self, key, path)
type(store).put_file = dying
with write_artefact(store, "runs/r/step") as out:
    for name in ("a.json", "b.json", "c.json"):
        out.json(name, "new")
"""


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.services)])
def store(request: pytest.FixtureRequest) -> Store:
    """Return each kind of store in turn, empty."""
    opened: Store = request.getfixturevalue(f"{request.param}_store")
    return opened


def save(store: Store, prefix: str, **files: object) -> Artefact:
    """Write an artefact of JSON files."""
    with write_artefact(store, prefix) as out:
        for name, value in files.items():
            out.json(f"{name}.json", value)
    return read_artefact(store, prefix)


@pytest.mark.fault("F4")
@pytest.mark.slow
@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("files", [0, 1, 2])
def test_a_killed_writer_leaves_nothing_to_be_read(store: Store, before: bool, files: int) -> None:
    """Neither a part of the new nor a mixture with the old, which stays; a retry completes the artefact."""
    if before:
        save(store, "runs/r/step", a="old", b="old")
    done = subprocess.run([sys.executable, "-c", KILLED, str(files)], cwd=ROOT, env=os.environ, check=False)
    assert done.returncode == -signal.SIGKILL
    if before:
        old = read_artefact(store, "runs/r/step")
        old.verify()
        assert (old.json("a.json"), old.json("b.json")) == ("old", "old")
    else:
        assert not has_artefact(store, "runs/r/step")
        with pytest.raises(NotFound, match="not complete"):
            read_artefact(store, "runs/r/step")
    assert save(store, "runs/r/step", a="newer").json("a.json") == "newer"


@pytest.mark.fault("F11")
@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
@pytest.mark.parametrize("what", ["store", "scratch"])
def test_a_full_disk_is_named_and_leaves_the_earlier_artefact(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where room is needed is said, what stood there is whole, and with room the next try succeeds."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)], check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        store = FolderStore(disk if what == "store" else tmp_path / "store")
        save(store, "runs/r/step", a="old", b="old")
        if what == "scratch":
            monkeypatch.setattr(artefacts, "_scratch", lambda: disk)
        filler = disk / "filler"
        filler.write_bytes(b"0" * 700_000)
        with pytest.raises(TaskError, match=f"{re.escape(str(disk))} has no space left for .*runs/r/step") as full:
            save(store, "runs/r/step", a="new", b="0" * 600_000)
        assert full.value.exit_code == 1
        old = read_artefact(store, "runs/r/step")
        assert (old.json("a.json"), old.json("b.json")) == ("old", "old")
        assert {info.key for info in store.list("runs/")} == {
            f"runs/r/step/{n}" for n in ("a.json", "b.json", MANIFEST)
        }
        filler.unlink()
        assert save(store, "runs/r/step", a="newer").json("a.json") == "newer"
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def npy(header: str, data: bytes = b"") -> bytes:
    """Return a .npy file with any header."""
    line = header.encode() + b" " * (-(10 + len(header) + 1) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(line).to_bytes(2, "little") + line + data


@pytest.mark.parametrize(
    "content",
    [
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 1024)}"),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2)}", b"\0" * 15),
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", b"\x80\x04N."),
        b"\x93NUMPY",
        b"",
        b"PK\x03\x04 not an archive of arrays",
    ],
    ids=["promises terabytes", "cut off", "pickle", "no header", "empty", "archive"],
)
def test_a_file_that_is_no_array_is_corrupt(folder_store: Store, content: bytes) -> None:
    """It is not unpickled, its header is not trusted, and it costs no memory."""
    with write_artefact(folder_store, "r") as out:
        out.file("x.npy").write_bytes(content)
    with pytest.raises(Corrupt, match=r"r/x\.npy"):
        read_artefact(folder_store, "r").array("x.npy")


def test_ids_that_look_like_numbers_stay_what_they_are(folder_store: Store) -> None:
    """With the options that are passed to pandas, leading zeros and the word NA are unchanged."""
    table = pd.DataFrame({"item_id": ["007", "NA", "1e5", "a,b", 'say "x"']})
    with write_artefact(folder_store, "r") as out:
        out.frame("t.csv", table)
        out.frame("t.inter", table)
        out.frame("t.parquet", table)
    artefact = read_artefact(folder_store, "r")
    for name in ("t.csv", "t.inter"):
        read = artefact.frame(name, dtype=str, keep_default_na=False)
        assert read["item_id"].tolist() == table["item_id"].tolist()
    assert artefact.frame("t.parquet")["item_id"].tolist() == table["item_id"].tolist()


def test_a_streamed_table_is_one_table(folder_store: Store) -> None:
    """Its parts are concatenated, and the manifest counts all rows."""
    with write_artefact(folder_store, "r") as out:
        out.stream("t.parquet", (pa.table({"n": [start, start + 1]}) for start in (0, 2, 4)))
    artefact = read_artefact(folder_store, "r")
    assert artefact.frame("t.parquet")["n"].tolist() == list(range(6))
    assert artefact.manifest.files["t.parquet"].rows == 6


def test_a_streamed_table_has_at_least_its_columns(folder_store: Store) -> None:
    """A table without parts has no schema, so it is refused."""

    def write() -> None:
        with write_artefact(folder_store, "r") as out:
            out.stream("t.parquet", iter(()))

    with pytest.raises(BadInput, match="no part"):
        write()


def test_a_copied_file_is_verified_and_keeps_its_facts(folder_store: Store) -> None:
    """The copy has the same bytes; a file that was changed is not copied."""
    with write_artefact(folder_store, "a") as out:
        out.array("x.npy", np.ones((2, 3), dtype=np.float32))
    source = read_artefact(folder_store, "a")
    with write_artefact(folder_store, "b", inputs=[source]) as out:
        out.copy("x.npy", source)
    assert read_artefact(folder_store, "b").manifest.files == source.manifest.files
    folder_store.put("a/x.npy", b"changed")

    def copy_again() -> None:
        with write_artefact(folder_store, "c") as out:
            out.copy("x.npy", read_artefact(folder_store, "a"))

    with pytest.raises(Corrupt, match=r"a/x\.npy"):
        copy_again()


def test_equal_files_give_equal_content_whatever_else_differs(folder_store: Store) -> None:
    """`content` identifies the files of an artefact, whenever and wherever they were written."""
    first, again, other = save(folder_store, "a", x=1), save(folder_store, "b", x=1), save(folder_store, "c", x=2)
    assert first.manifest.content == again.manifest.content != other.manifest.content
    assert first.manifest.created_at != again.manifest.created_at


@pytest.mark.parametrize(
    ("part", "value", "said"),
    [("size", 3, "x.npy has bytes: "), ("rows", 2, "x.npy has 3 rows, expected 2"), ("rows", 9, "t.csv has 4 rows")],
)
def test_every_number_of_a_manifest_is_verified(folder_store: Store, part: str, value: int, said: str) -> None:
    """Sizes and rows, beside hashes, dtypes and shapes."""
    with write_artefact(folder_store, "a") as out:
        out.array("x.npy", np.arange(3))
        out.frame("t.csv", pd.DataFrame({"a": range(4)}))
        out.frame("p.parquet", pd.DataFrame({"a": range(5)}))
        out.table("l.inter", {"a": np.arange(6)})
    read_artefact(folder_store, "a").verify()
    manifest = json.loads(folder_store.get("a/manifest.json"))
    manifest["files"][said.split(maxsplit=1)[0]][part] = value
    folder_store.put("a/manifest.json", json.dumps(manifest).encode())
    with pytest.raises(Corrupt, match=said):
        read_artefact(folder_store, "a").verify()


def test_a_manifest_of_another_place_is_refused(folder_store: Store) -> None:
    """A folder that was copied over another one is not taken for it."""
    save(folder_store, "runs/a/step", x=1)
    folder_store.put("runs/b/step/manifest.json", folder_store.get("runs/a/step/manifest.json"))
    folder_store.put("runs/b/step/x.json", folder_store.get("runs/a/step/x.json"))
    with pytest.raises(Corrupt, match="is that of runs/a/step, expected its own"):
        read_artefact(folder_store, "runs/b/step")


def test_a_file_that_is_gone_makes_an_artefact_corrupt(folder_store: Store) -> None:
    """Its manifest says that it is complete."""
    save(folder_store, "a", x=1, y=2)
    folder_store.delete("a/y.json")
    with pytest.raises(Corrupt, match=r"a/y\.json is gone"):
        read_artefact(folder_store, "a").verify()


def test_a_file_that_was_announced_has_to_be_written(folder_store: Store) -> None:
    """A manifest cannot list a file that does not exist."""

    def write() -> None:
        with write_artefact(folder_store, "r") as out:
            out.file("x.bin")

    with pytest.raises(NotFound, match=r"x\.bin was announced"):
        write()


def test_nan_is_not_json(folder_store: Store) -> None:
    """Most JSON parsers refuse NaN."""

    def write() -> None:
        with write_artefact(folder_store, "r") as out:
            out.json("x.json", float("nan"))

    with pytest.raises(ValueError, match="JSON compliant"):
        write()


def test_what_was_downloaded_goes_with_the_process(folder_store: Store, tmp_path: Path) -> None:
    """A run leaves no local copies."""
    save(folder_store, "r", x=1)
    code = "from tasks.store import *; read_artefact(open_store(), 'r').path('x.json')"
    environment = os.environ | {"TMPDIR": str(tmp_path / "t")}
    (tmp_path / "t").mkdir()
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True)
    assert list((tmp_path / "t").iterdir()) == []


def test_the_code_version_can_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """An image has its own version, a checkout its commit; the version is never empty."""
    assert code_version()
    monkeypatch.setenv("RECSYS_CODE_VERSION", "2026.11")
    assert code_version() == "2026.11"
