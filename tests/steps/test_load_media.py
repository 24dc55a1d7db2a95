"""`load-media` on a real store."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tasks.errors import BadInput, NotFound
from tasks.runs.inventory import item_of, list_media
from tasks.steps import load_media as module
from tasks.steps.load_media import load_media
from tasks.store import Store

FILES = {"image/1.jpg": b"one", "image/2.PNG": b"two", "text/1.txt": b"eins", "audio/1.ogg": b"la"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of media."""
    for name, content in FILES.items():
        put(tmp_path / "media" / name, content)
    return tmp_path / "media"


def put(path: Path, content: bytes) -> None:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def media(store: Store) -> dict[str, bytes]:
    """What lies below media/films/."""
    return {info.key.removeprefix("media/films/"): store.get(info.key) for info in store.list("media/films/")}


def counts(image: int, audio: int, text: int, hidden: int = 0) -> dict[str, object]:
    """What the command says when that many files were sent."""
    found = {"image": 2, "audio": 1, "text": 1}
    sent = {"image": image, "audio": audio, "text": text}
    closing: dict[str, object] = {"media": "media/films/"}
    for kind in ("audio", "image", "text"):
        closing |= {f"{kind}_found": found[kind], f"{kind}_sent": sent[kind]}
        closing |= {f"{kind}_hidden": hidden if kind == "image" else 0}
    return closing


def test_files_are_sent_to_where_the_scan_finds_them(folder_store: Store, folder: Path) -> None:
    """Under their own names, by modality; a log beside the folders is left alone."""
    put(folder / "interactions.csv", b"user_id,item_id\n")
    assert load_media(folder=folder, dataset="films") == counts(2, 1, 1)
    assert media(folder_store) == FILES


def test_what_is_there_is_not_sent_again(folder_store: Store, folder: Path) -> None:
    """A second time only what changed goes, though it is as long as before."""
    load_media(folder=folder, dataset="films")
    put(folder / "image/1.jpg", b"eno")
    before = {info.key: info.etag for info in folder_store.list("media/films/")}
    assert load_media(folder=folder, dataset="films") == counts(1, 0, 0)
    after = {info.key: info.etag for info in folder_store.list("media/films/")}
    assert [key for key in after if after[key] != before[key]] == ["media/films/image/1.jpg"]
    assert media(folder_store) == {**FILES, "image/1.jpg": b"eno"}


def test_one_modality_can_lie_in_the_folder_itself(folder_store: Store, folder: Path) -> None:
    """Named by an option."""
    closing = load_media(folder=folder / "image", dataset="films", modality="image")
    assert closing == {"media": "media/films/", "image_found": 2, "image_sent": 2, "image_hidden": 0}
    assert set(media(folder_store)) == {"image/1.jpg", "image/2.PNG"}


def test_hidden_files_are_left_out_and_counted(folder_store: Store, folder: Path) -> None:
    """What file managers leave behind is no medium; a hidden folder beside the others is none either."""
    put(folder / "image/.DS_Store", b"?")
    put(folder / ".cache/x", b"?")
    assert load_media(folder=folder, dataset="films") == counts(2, 1, 1, hidden=1)
    assert media(folder_store) == FILES


def test_links_within_the_folder_are_followed(folder_store: Store, folder: Path) -> None:
    """The same poster for two films; a link that leads nowhere is an error."""
    (folder / "image/3.jpg").symlink_to("1.jpg")
    load_media(folder=folder, dataset="films")
    assert media(folder_store)["image/3.jpg"] == b"one"
    (folder / "image/4.jpg").symlink_to("4.jpg")
    with pytest.raises(BadInput, match=r"4\.jpg found \(1 in all\), expected only image files"):
        load_media(folder=folder, dataset="films")


@pytest.mark.parametrize("modality", [None, "text"])
@pytest.mark.parametrize("target", ["secret.txt", "media-too/secret.txt", "no-such-file"])
def test_a_link_out_of_the_folder_is_refused_before_anything_is_sent(
    folder_store: Store, folder: Path, tmp_path: Path, target: str, modality: str | None
) -> None:
    """Also by way of another link, or to a folder whose name begins the same: everybody can read what is uploaded."""
    put(tmp_path / "secret.txt", b"password")
    put(tmp_path / "media-too/secret.txt", b"password")
    (folder / "text/.hop").symlink_to(tmp_path / target)
    (folder / "text/2.txt").symlink_to(".hop")
    with pytest.raises(
        BadInput, match=rf"text/2\.txt -> .*{target} found \(1 in all\), expected no link that leads out"
    ):
        load_media(folder=folder if modality is None else folder / "text", dataset="films", modality=modality)
    assert media(folder_store) == {}


def test_a_folder_that_is_a_link_out_of_the_folder_is_refused(
    folder_store: Store, folder: Path, tmp_path: Path
) -> None:
    """The folder that is named may itself be reached by a link."""
    put(tmp_path / "elsewhere/1.txt", b"password")
    (tmp_path / "link").symlink_to(folder)
    assert load_media(folder=tmp_path / "link", dataset="films") == counts(2, 1, 1)
    (folder / "text/1.txt").unlink()
    (folder / "text").rmdir()
    (folder / "text").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadInput, match=r"text -> .*elsewhere found"):
        load_media(folder=folder, dataset="films")
    assert media(folder_store) == FILES


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("video/1.mp4", r"has the folders \['video'\], expected only image/, audio/, text/ in it"),
        (
            "image/3.exe",
            r"3\.exe found \(1 in all\), expected only image files with one of the suffixes avif, bmp, .* there",
        ),
        ("image/3", r"image/3 found \(1 in all\), expected only image files"),
        ("image/more/3.jpg", r"image/more found \(1 in all\), expected only image files"),
        ("image/1.png", r"image files '1\.jpg' and '1\.png' found for one item, expected one file each"),
        ("image/01.jpg", r"image files '01\.jpg' and '1\.jpg' found for one item"),
        ("image/3 .jpg", r"image file of the item '3 ' found, expected item ids of 1 to 255 characters without blanks"),
        ("image/3\n.jpg", r"image file of the item '3\\n' found"),
    ],
)
def test_what_the_scan_could_not_use_is_refused_before_anything_is_sent(
    folder_store: Store, folder: Path, name: str, message: str
) -> None:
    """Unknown folders and endings, folders in folders, two files of one item, unusable ids."""
    put(folder / name, b"x")
    with pytest.raises(BadInput, match=message):
        load_media(folder=folder, dataset="films")
    assert media(folder_store) == {}


def test_all_bad_files_are_named_in_one_answer(folder_store: Store, folder: Path) -> None:
    """Of all modalities; a person who repairs a folder does not want to hear of one at a time."""
    for name in ("image/a.exe", "image/b.exe", "image/01.jpg", "image/2.bmp", "text/2.pdf", "audio/x .ogg"):
        put(folder / name, b"x")
    with pytest.raises(BadInput) as error:
        load_media(folder=folder, dataset="films")
    for part in ("a.exe", "b.exe found (2 in all)", "'01.jpg' and '1.jpg'", "'2.PNG' and '2.bmp'", "2.pdf", "'x '"):
        assert part in str(error.value)
    for number in range(20):
        put(folder / f"audio/{number} .ogg", b"x")
    with pytest.raises(BadInput, match=r"; and 15 more$"):
        load_media(folder=folder, dataset="films")
    assert media(folder_store) == {}


def test_a_name_that_is_no_text_is_refused(folder_store: Store, folder: Path) -> None:
    """Bytes that no table could hold."""
    name = os.fsdecode(b"image/\xff.jpg")
    put(folder / name, b"x")
    with pytest.raises(BadInput, match=r"image file of the item '\\udcff' found"):
        load_media(folder=folder, dataset="films")
    assert media(folder_store) == {}


@pytest.mark.parametrize("name", ["2.jpg", "02.PNG"])
def test_a_second_file_of_an_item_in_the_store_is_refused(folder_store: Store, folder: Path, name: str) -> None:
    """Also when it comes later, alone and under another ending, or with a zero in front."""
    load_media(folder=folder, dataset="films")
    put(folder.parent / "later" / name, b"x")
    message = rf"{name} found for the item of media/films/image/2\.PNG in the store, expected one file per item"
    with pytest.raises(BadInput, match=message):
        load_media(folder=folder.parent / "later", dataset="films", modality="image")
    assert media(folder_store) == FILES


def test_names_are_composed_and_accents_apart_are_no_other_item(
    folder_store: Store, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As macOS writes names; what is in the store under such a name is replaced there, and both at once are refused."""
    apart, composed = "Jose\u0301.txt", "Jos\u00e9.txt"
    put(folder / "text" / apart, b"plot")
    with caplog.at_level("INFO"):
        load_media(folder=folder, dataset="films")
    assert "1 names of text are not composed (NFC), such as 'Jose\\u0301.txt'; their items are" in caplog.text
    assert media(folder_store) == {**FILES, f"text/{composed}": b"plot"}
    assert load_media(folder=folder, dataset="films")["text_sent"] == 0
    folder_store.delete(f"media/films/text/{composed}")
    folder_store.put(f"media/films/text/{apart}", b"an earlier version sent it")
    (folder / "text" / apart).rename(folder / "text" / composed)
    load_media(folder=folder, dataset="films")
    assert media(folder_store) == {**FILES, f"text/{apart}": b"plot"}
    put(folder / "text" / apart, b"plot")
    with pytest.raises(BadInput, match=r"text files 'Jose\\u0301\.txt' and 'Jos\\xe9\.txt' found for one item"):
        load_media(folder=folder, dataset="films")


@pytest.mark.parametrize("name", ["z\\z.txt", "z\\..\\z.txt", "\u0344" * 65 + ".txt"], ids=["backslash", "up", "long"])
def test_a_name_that_no_store_can_hold_is_refused_before_anything_is_sent(
    folder_store: Store, folder: Path, name: str
) -> None:
    """One with a backslash, and one that has more bytes when it is composed; the others are not sent either."""
    put(folder / "text" / name, b"x")
    with pytest.raises(
        BadInput, match=r"the file name '.*' cannot be used: store key '.*(backslashes|and 255 between)"
    ):
        load_media(folder=folder, dataset="films")
    assert media(folder_store) == {}


def test_names_may_differ_in_case_and_end_with_dots(folder_store: Store, folder: Path) -> None:
    """These are ids as any other."""
    more = {"text/A.txt": b"x", "text/a.txt": b"y", "text/b..txt": b"z", "text/c....txt": b"w"}
    for name, content in more.items():
        put(folder / name, content)
    load_media(folder=folder, dataset="films")
    assert media(folder_store) == {**FILES, **more}
    items = [item_of(info.key) for info in list_media(folder_store, "films")["text"]]
    assert items == ["1", "A", "a", "b.", "c..."]


def test_a_file_too_large_to_decode_is_refused(
    folder_store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it is sent; texts may be less large than sounds."""
    monkeypatch.setitem(module.LARGEST, "text", 3)
    with pytest.raises(BadInput, match=r"1\.txt has 4 bytes, expected at most 3"):
        load_media(folder=folder, dataset="films")
    assert media(folder_store) == {}


@pytest.mark.usefixtures("folder_store")
def test_a_folder_that_has_no_media_is_an_error(tmp_path: Path) -> None:
    """Nothing there, nothing in it, nothing of the modality, no such modality."""
    with pytest.raises(NotFound, match="is not a folder, expected one with image/, audio/, text/ in it"):
        load_media(folder=tmp_path / "none", dataset="films")
    with pytest.raises(BadInput, match="has the folders none, expected only image/"):
        load_media(folder=tmp_path, dataset="films")
    with pytest.raises(BadInput, match="has no files of text, expected text files with one of the suffixes txt"):
        load_media(folder=tmp_path, dataset="films", modality="text")
    with pytest.raises(BadInput, match="modality 'smell' found, expected one of image, audio, text"):
        load_media(folder=tmp_path, dataset="films", modality="smell")


@pytest.mark.services
def test_it_works_on_s3(s3_store: Store, folder: Path) -> None:
    """The same on a real S3 server."""
    assert load_media(folder=folder, dataset="films") == counts(2, 1, 1)
    assert load_media(folder=folder, dataset="films") == counts(0, 0, 0)
    assert media(s3_store) == FILES
