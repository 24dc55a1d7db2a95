"""`verify`: every file of every release against its manifest."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from tasks.__main__ import main
from tasks.errors import BadInput, NotFound, ValidationFailed
from tasks.steps import verify as step
from tasks.steps.verify import verify
from tasks.store import History, Store
from tests.steps.night import spoil
from tests.steps.shelf import put_release

pytestmark = pytest.mark.services


@pytest.mark.parametrize("kind", ["folder_store", "s3_store"])
def test_whole_releases_are_counted(
    kind: str,
    request: pytest.FixtureRequest,
    history: History,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The closing line has releases, files and bytes of all datasets, and the served one is read first."""
    store: Store = request.getfixturevalue(kind)
    prefixes = [put_release(store, history, name) for name in ("r1", "r3", "r2")]
    prefixes.append(put_release(store, history, "s1", dataset="songs", run="of-songs"))
    caplog.set_level(logging.INFO)
    assert main(["verify"]) == 0
    out = capsys.readouterr().out.splitlines()
    size = sum(info.size for info in store.list("releases/") if not info.key.endswith("manifest.json"))
    assert json.loads(out[-1]) == {"releases": 4, "files": 12, "bytes": size, "damaged": 0}
    read = [line.partition(":")[0] for line in caplog.messages if ": 3 files, " in line]
    assert read == [prefixes[2], prefixes[3], *prefixes[:2]]


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
@pytest.mark.parametrize("file", ["vectors.npy", "config.json"])
def test_a_damaged_release_is_named(  # noqa: PLR0917
    folder_store: Store,
    history: History,
    file: str,
    damage: str,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With exit code 10, after all others were read too."""
    bad, good = put_release(folder_store, history, "r1"), put_release(folder_store, history, "r2")
    spoil(folder_store, f"{bad}/{file}", damage)
    caplog.set_level(logging.INFO)
    assert main(["verify", "--dataset", "films"]) == 10
    said = capsys.readouterr()
    assert "1 of 2 releases cannot be served, expected all; 1 releases with 3 files" in said.err
    assert f"{bad}/{file} " in said.err
    assert f"{good}: 3 files" in caplog.text


def test_a_manifest_that_is_none_is_named(folder_store: Store, history: History) -> None:
    """Whatever it holds, and that of another release too."""
    one, two = put_release(folder_store, history, "r1"), put_release(folder_store, history, "r2")
    folder_store.put(f"{one}/manifest.json", folder_store.get(f"{two}/manifest.json"))
    folder_store.put(f"{two}/manifest.json", b"{}")
    with pytest.raises(ValidationFailed, match=f"2 of 2 releases .*{two}/manifest.json is not a manifest.*{one}"):
        verify()


def test_a_served_release_that_is_gone_is_named(folder_store: Store, history: History) -> None:
    """Another that is gone was removed by somebody who may."""
    one, two = put_release(folder_store, history, "r1"), put_release(folder_store, history, "r2")
    folder_store.delete(f"{one}/manifest.json")
    assert verify()["releases"] == 1
    folder_store.delete(f"{two}/manifest.json")
    with pytest.raises(ValidationFailed, match=f"1 of 1 releases .*{two} is not in"):
        verify()


def test_a_release_that_is_removed_meanwhile_is_no_damage(
    folder_store: Store, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As garbage collection does: the manifest first, then the files."""
    one = put_release(folder_store, history, "r1")
    put_release(folder_store, history, "r2")
    read = step.read_artefact

    def read_late(store: Store, prefix: str) -> object:
        artefact = read(store, prefix)
        if prefix == one:
            for info in sorted(store.list(f"{one}/"), key=lambda info: "manifest" not in info.key):
                store.delete(info.key)
        return artefact

    monkeypatch.setattr(step, "read_artefact", read_late)
    found = verify()
    assert (found["releases"], found["files"], found["damaged"]) == (1, 3, 0)


def test_only_what_is_named_is_read(folder_store: Store, history: History) -> None:
    """One dataset or one release; an unknown one is bad input."""
    bad, _ = put_release(folder_store, history, "r1"), put_release(folder_store, history, "r2")
    put_release(folder_store, history, "s1", dataset="songs", run="of-songs")
    spoil(folder_store, f"{bad}/config.json", "flip")
    assert verify(dataset="songs")["releases"] == verify(dataset="films", release="r2")["releases"] == 1
    with pytest.raises(NotFound, match="dataset 'films' has no release 'r9'"):
        verify(dataset="films", release="r9")
    with pytest.raises(NotFound, match="dataset 'books' has no release in"):
        verify(dataset="books")
    with pytest.raises(BadInput, match="--release r1 found without --dataset"):
        verify(release="r1")


def test_without_a_database_the_store_alone_is_read(
    folder_store: Store, history: History, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By whoever has only the key for releases; the disk holds one file at a time."""
    put_release(folder_store, history, "r1")
    monkeypatch.setenv("RECSYS_METRICS_DSN", "none")
    monkeypatch.setattr("tasks.store.artefacts._scratch", lambda: tmp_path)
    before = set(tmp_path.iterdir())
    assert verify()["releases"] == 1
    assert set(tmp_path.iterdir()) == before
