"""The command `demo-catalogue`."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pandas as pd
import pytest
import soundfile
from PIL import Image

from tasks.errors import BadInput
from tasks.steps.demo_catalogue import demo_catalogue
from tasks.store import FolderStore


def fingerprint(folder: Path) -> dict[str, str]:
    """Return relative path -> sha256 of every file."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    """Two catalogues with one seed have equal files; one with another seed has no media file in common."""
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        demo_catalogue(out=tmp_path / name, items=3, users=6, seed=seed)
    first, second, other = (fingerprint(tmp_path / name) for name in "abc")
    assert first == second
    assert sorted(first) == sorted(other)
    assert not set(first.values()) & set(other.values())


def test_files_are_named_by_item(tmp_path: Path) -> None:
    """Every item has a poster, a sound and a synopsis named by its id, and the log uses these ids."""
    result = demo_catalogue(out=tmp_path, items=6, users=9)
    ids = [f"film-{number:04d}" for number in range(6)]
    for modality, suffix in (("image", ".jpg"), ("audio", ".ogg"), ("text", ".txt")):
        assert sorted(path.name for path in (tmp_path / modality).iterdir()) == [one + suffix for one in ids]
    log = pd.read_csv(tmp_path / "interactions.csv")
    assert list(log.columns) == ["user_id", "item_id", "timestamp"]
    assert set(log["item_id"]) <= set(ids)
    assert set(log["user_id"]) == {f"user-{number:04d}" for number in range(9)}
    assert result["interactions"] == len(log)


@pytest.mark.slow
def test_later_items_extend_the_catalogue(tmp_path: Path) -> None:
    """Three more items equal those of a larger catalogue, and the new log starts with the old one."""
    demo_catalogue(out=tmp_path / "old", items=4, users=30)
    demo_catalogue(out=tmp_path / "all", items=7, users=30, opening=4)
    demo_catalogue(out=tmp_path / "new", items=3, first_item=4, users=30)
    old, everything, new = (fingerprint(tmp_path / name) for name in ("old", "all", "new"))
    log = "interactions.csv"
    assert {**old, **new} == everything
    assert len(new) == 3 * 3 + 2
    assert (tmp_path / "new" / log).read_text().startswith((tmp_path / "old" / log).read_text())
    assert "film-0006" in (tmp_path / "new" / log).read_text()


def test_later_items_bring_no_log_unless_asked(tmp_path: Path) -> None:
    """Without --users only media are written, no log."""
    assert demo_catalogue(out=tmp_path, items=1, first_item=10)["users"] == 0
    assert not (tmp_path / "interactions.csv").exists()


def readable(path: Path) -> bool:
    """Whether the file can be decoded and is not empty."""
    data = path.read_bytes()
    try:
        if path.suffix == ".jpg":
            Image.open(io.BytesIO(data)).load()
        elif path.suffix == ".ogg":
            soundfile.read(io.BytesIO(data))
        else:
            return bool(data.decode().strip())
    except (OSError, ValueError, soundfile.LibsndfileError, Image.DecompressionBombError):
        return False
    return True


@pytest.mark.slow
def test_corrupt_files_are_broken_and_only_those(tmp_path: Path) -> None:
    """--corrupt 7 makes one file of each of seven items unreadable; all others stay intact."""
    result = demo_catalogue(out=tmp_path, items=9, users=0, corrupt=7)
    broken = result["broken"]
    assert isinstance(broken, list)
    assert len({Path(name).stem for name in broken}) == 7
    media = [path for path in tmp_path.rglob("film-*") if path.is_file()]
    assert sorted(str(path.relative_to(tmp_path)) for path in media if not readable(path)) == sorted(broken)


@pytest.mark.parametrize(
    "options", [{"items": 0}, {"users": -1}, {"seed": -1}, {"items": 3, "corrupt": 4}, {"opening": 0}]
)
def test_impossible_numbers_are_refused(tmp_path: Path, options: dict[str, int]) -> None:
    """The error names the invalid number and the valid range, and nothing is written."""
    with pytest.raises(BadInput, match=r"found, expected \d+ to"):
        demo_catalogue(out=tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    """--out must not name a file."""
    (tmp_path / "out").write_text("")
    with pytest.raises(BadInput, match="is a file"):
        demo_catalogue(out=tmp_path / "out", items=1)


def test_it_can_be_loaded_into_a_dataset_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It loads media and log; a dataset that already has a log is not changed, and no folder is needed."""
    store = FolderStore(tmp_path / "store")
    monkeypatch.setenv("RECSYS_STORE", (tmp_path / "store").as_uri())
    assert demo_catalogue(load="films", items=5, users=6)["interactions"]
    before = {info.key: info.etag for info in store.list("")}
    assert len([key for key in before if key.startswith("media/films/")]) == 15
    assert demo_catalogue(load="films", items=7, users=6)["items"] == 0
    assert {info.key: info.etag for info in store.list("")} == before


def test_it_has_to_go_somewhere() -> None:
    """A folder, a dataset, or both must be given."""
    with pytest.raises(BadInput, match="neither --out nor --load found"):
        demo_catalogue(items=5)
