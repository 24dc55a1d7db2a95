"""`store`: objects are listed and fetched without any other program, byte by byte."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.__main__ import main
from tasks.store import Store, format_size

ROOT = Path(__file__).resolve().parents[2]
BYTES = bytes(range(256)) * 8
OBJECTS = {
    "media/films/text/é 1.txt": b"a film",
    "media/films/text/2.txt": b"another",
    "media/music/3.wav": BYTES,
    "media.json": b"{}",
}


@pytest.fixture(params=["folder_store", pytest.param("s3_store", marks=pytest.mark.services)])
def filled(request: pytest.FixtureRequest) -> Store:
    """Both kinds of store, with these objects."""
    store: Store = request.getfixturevalue(request.param)
    for key, data in OBJECTS.items():
        store.put(key, data)
    return store


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    """The lines that the command prints."""
    capsys.readouterr()
    assert main(["store", *words]) == 0
    return capsys.readouterr().out.splitlines()


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The sentence with which the command ends as bad input."""
    capsys.readouterr()
    assert main(["store", *words]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    return line


def test_a_listing_has_folders_and_objects_with_their_sizes(filled: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """One level below what was asked for; sizes of folders are sums."""
    assert shown(capsys, "ls") == ["       2 B  media.json", "   2.0 KiB  media/  (3 objects)"]
    assert shown(capsys, "ls", "media/films/text/") == [
        "       7 B  media/films/text/2.txt",
        "       6 B  media/films/text/é 1.txt",
    ]
    assert shown(capsys, "ls", "media/m") == ["   2.0 KiB  media/music/  (1 object)"]
    assert shown(capsys, "ls", "media/f") == ["      13 B  media/films/  (2 objects)"]


def test_a_listing_can_be_of_all_depths_and_for_programs(filled: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """As sizes in bytes."""
    assert [line.split(maxsplit=2)[2] for line in shown(capsys, "ls", "--recursive")] == sorted(OBJECTS)
    (line,) = shown(capsys, "ls", "media/", "--recursive", "--json")
    assert {row["key"]: row["size"] for row in json.loads(line)} == {
        key: len(data) for key, data in OBJECTS.items() if key.startswith("media/")
    }


def test_an_object_becomes_a_file(
    filled: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of its name in this folder, of another name, or in another folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sounds").mkdir()
    assert shown(capsys, "get", "media/music/3.wav") == ["3.wav: 2.0 KiB"]
    shown(capsys, "get", "media/music/3.wav", "other")
    (line,) = shown(capsys, "get", "media/music/3.wav", "sounds", "--json")
    assert json.loads(line) == {"key": "media/music/3.wav", "file": "sounds/3.wav", "size": len(BYTES)}
    assert {path.read_bytes() for path in (Path("3.wav"), Path("other"), Path("sounds/3.wav"))} == {BYTES}


def test_a_file_that_is_there_is_kept(filled: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """It may be somebody's only copy."""
    mine = tmp_path / "mine"
    mine.write_bytes(b"mine")
    assert "exists, expected the name of a new file" in refused(capsys, "get", "media.json", str(mine))
    assert mine.read_bytes() == b"mine"
    assert "does not exist, expected it for x" in refused(capsys, "get", "media.json", str(tmp_path / "none" / "x"))


@pytest.mark.parametrize("key", ["media/films/none.txt", "media/films", "media/films/text"])
def test_an_unknown_key_is_one_sentence(
    filled: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path, key: str
) -> None:
    """A folder is none either, and no file is left behind."""
    assert f"{key} is not in {filled.url}" in refused(capsys, "cat", key)
    assert f"{key} is not in {filled.url}" in refused(capsys, "get", key, str(tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def test_a_beginning_that_no_key_has_is_no_empty_list(filled: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistyped word would look like data that is lost."""
    assert "no key in" in refused(capsys, "ls", "medai/")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["get"], "no key found with get"),
        (["cat"], "no key found with cat"),
        (["cat", "media.json", "file"], "'file' found after cat"),
        (["cat", "media.json", "--json"], "--json found with cat"),
        (["get", "media.json", "--recursive"], "--recursive found with get"),
        (["get", "../secret"], "store key '../secret' found"),
        (["rm", "media.json"], "'rm'"),
    ],
)
def test_words_that_make_no_sense_are_refused(
    folder_store: Store, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    """With what was expected."""
    folder_store.put("media.json", b"{}")
    assert sentence in refused(capsys, *words)


def test_an_empty_store_says_so(folder_store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """It is no error."""
    assert shown(capsys, "ls") == [f"{folder_store.url} is empty."]
    assert shown(capsys, "ls", "--json") == ["[]"]


@pytest.mark.slow
def test_cat_writes_the_bytes_and_nothing_else_and_may_be_cut_off(filled: Store) -> None:
    """Not one more, whatever they are; a reader who has enough is no fault."""
    filled.put("large", BYTES * 4096)
    words = [sys.executable, "-m", "tasks", "store", "cat"]
    done = subprocess.run([*words, "media/music/3.wav"], cwd=ROOT, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (BYTES, b"")
    with subprocess.Popen([*words, "large"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as cut:
        assert cut.stdout is not None
        assert cut.stderr is not None
        assert cut.stdout.read(256) == BYTES[:256]
        cut.stdout.close()
        assert cut.stderr.read() == b""


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_of_others_is_named(folder_store: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Bad input: another try would not help."""
    folder_store.put("a", b"1")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    assert "cannot be written" in refused(capsys, "get", "a", str(closed))


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1_048_570, "1.0 MiB"),
        (5 << 30, "5.0 GiB"),
        (3 << 50, "3072.0 TiB"),
    ],
)
def test_a_size_is_told_in_its_largest_unit(size: int, text: str) -> None:
    """Never as 1024 of the smaller one."""
    assert format_size(size) == text
