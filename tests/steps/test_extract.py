"""`extract`: only what is new is encoded, and what cannot be used is told, kept apart and left out."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tasks.encoders import pipeline as encoding
from tasks.errors import BadInput, TaskError, ValidationFailed
from tasks.media import LARGEST
from tasks.steps.align import align
from tasks.steps.extract import extract
from tasks.store import History, Store, has_artefact
from tests.encoders.media import WEB_PAGE, picture, png_claiming, saved, sound
from tests.steps.shop import (
    DATASET,
    ENCODER,
    MODALITIES,
    TinyEncoder,
    answer,
    decide,
    drop,
    encoders,
    extracted,
    item_ids,
    key_of,
    load_log,
    load_matrix,
    look,
    medium,
    night,
    use,
    warnings_of,
)

pytestmark = pytest.mark.services
ROOT = Path(__file__).resolve().parents[2]
ITEMS = [str(number) for number in range(1, 21)]


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> dict[str, TinyEncoder]:
    """The encoders that the steps find."""
    found = encoders()
    use(monkeypatch, found)
    return found


@pytest.fixture(params=["folder_store", "s3_store"])
def any_store(request: pytest.FixtureRequest) -> Store:
    """A folder, and a bucket of a real S3 server."""
    store: Store = request.getfixturevalue(request.param)
    return store


@pytest.fixture
def shop(folder_store: Store, history: History, tiny: dict[str, TinyEncoder]) -> Store:
    """Twenty items with all media, and a log about them."""
    drop(folder_store, ITEMS)
    load_log(folder_store, ITEMS)
    return folder_store


def preset(folder: Path, **values: object) -> str:
    """A preset file about the shop."""
    path = folder / "shop.yaml"
    known = {"dataset": DATASET, "modalities": list(MODALITIES), "encoder": ENCODER, "models": ["popularity"]}
    path.write_text(json.dumps(known | values))
    return str(path)


def check_vectors(store: Store, run: str, modality: str, items: list[str]) -> None:
    """These items in this order, each with the vector one computes by hand and the hash of its file."""
    artefact = extracted(store, run, modality)
    vectors, table = artefact.array("vectors.npy"), artefact.frame("items.csv", dtype=str)
    assert list(table.columns) == ["item_id", "sha256"]
    assert list(table["item_id"]) == items
    assert (vectors.dtype, vectors.shape) == (np.float32, (len(items), 4))
    np.testing.assert_allclose(vectors[:, :2], [answer(modality, item) for item in items], atol=1e-4)
    hashes = [hashlib.sha256(store.get(key_of(modality, item))).hexdigest() for item in items]
    assert list(table["sha256"]) == hashes


def test_every_item_gets_its_vector(any_store: Store, history: History, tiny: dict[str, TinyEncoder]) -> None:
    """In order of item, in float32, with the hash of its file beside it and the encoder's identity in the manifest."""
    drop(any_store, ITEMS)
    load_log(any_store, ITEMS)
    closing = night("one")
    for modality in MODALITIES:
        assert closing[modality].pop("seconds") is not None
        odd = {"image": 20, "audio": 0, "text": 1}[modality]  # pictures of one colour, a text of four letters
        counts = {"found": 20, "cached": 0, "extracted": 20, "rejected": 0, "kept": 20, "odd": odd}
        identity = tiny[modality].identity
        assert closing[modality] == {
            "feature": modality,
            "modality": modality,
            **counts,
            "width": 4,
            "encoder": identity,
        }
        check_vectors(any_store, "one", modality, ITEMS)
        manifest = extracted(any_store, "one", modality).manifest
        assert (manifest.counts, manifest.encoder) == (counts, identity)
        assert list(manifest.inputs) == ["runs/one/scan"]


def test_media_with_hardly_anything_in_them_are_told_every_night(
    shop: Store, caplog: pytest.LogCaptureFixture, tiny: dict[str, TinyEncoder]
) -> None:
    """Also by a night that found their vectors in the cache; they are used all the same."""
    for run in ("one", "two"):
        caplog.clear()
        night(run)
        remarks = extracted(shop, run, "text").text_frame("remarks.csv")
        assert remarks[["item_id", "key", "remark"]].to_numpy().tolist() == [["1", key_of("text", "1"), "short"]]
        assert f"{key_of('text', '1')} is short" in warnings_of(caplog)
        assert item_ids(extracted(shop, run, "text")) == ITEMS
    assert extracted(shop, "two", "text").manifest.counts["extracted"] == 0


def test_the_bandwidth_of_a_sound_is_kept_and_is_nothing_odd(
    shop: Store, caplog: pytest.LogCaptureFixture, tiny: dict[str, TinyEncoder]
) -> None:
    """A catalogue of MP3 would else be a warning for each file; the check finds it beside the vectors."""
    shop.put(key_of("audio", "1"), sound(0.1 * np.random.default_rng(1).normal(size=5_500), 5_500))
    for run in ("one", "two"):
        caplog.clear()
        night(run, ("audio",))
        artefact = extracted(shop, run, "audio")
        assert artefact.text_frame("remarks.csv")[["item_id", "remark"]].to_numpy().tolist() == [
            ["1", "limited to 2.8 kHz"]
        ]
        assert artefact.manifest.counts["odd"] == 0
        assert not [line for line in warnings_of(caplog) if "limited" in line]


def test_after_three_items_arrived_only_those_are_encoded(
    any_store: Store, history: History, tiny: dict[str, TinyEncoder]
) -> None:
    """The second night has all 23 in its result, and the encoders saw three."""
    drop(any_store, ITEMS)
    load_log(any_store, ITEMS)
    night("one")
    decide(any_store, history, "one")
    drop(any_store, ["21", "22", "23"])
    before = {modality: encoder.encoded for modality, encoder in tiny.items()}
    closing = night("two")
    for modality, encoder in tiny.items():
        found = [closing[modality][name] for name in ("found", "cached", "extracted", "rejected")]
        assert found == [23, 20, 3, 0]
        assert (before[modality], encoder.encoded, encoder.decoded) == (20, 23, 23)
        check_vectors(any_store, "two", modality, [*ITEMS, "21", "22", "23"])


BROKEN = {
    ("image", "1"): (b"", "empty file"),
    ("image", "2"): (WEB_PAGE, "HTML page, not a picture of JPEG, PNG"),
    ("image", "3"): (saved(picture())[:1_000], "damaged PNG (it ends within chunk IDAT)"),
    ("image", "4"): (png_claiming(60_000, 60_000), "60000 x 60000 pixels, more than 50000000"),
    ("audio", "5"): (b"", "empty file"),
    ("audio", "6"): (WEB_PAGE, "not sound of a known format"),
    ("audio", "7"): (medium("audio", "7")[:-1_000], "truncated"),
    ("audio", "8"): (sound(np.array([0.0, np.nan]), 8_000, subtype="FLOAT"), "samples that are not numbers"),
    ("text", "9"): (b" \n", "empty text"),
    ("text", "10"): ("caf\u00e9".encode("latin-1"), "not UTF-8 text"),
    ("text", "11"): (medium("image", "11"), "PNG, not a text"),
    ("image", "12"): (medium("audio", "12"), "WAV, not a picture of JPEG, PNG"),
    ("audio", "12"): (medium("text", "12"), "not sound of a known format"),
}


def break_files(store: Store) -> None:
    """Every kind at once."""
    for (modality, item), (data, _) in BROKEN.items():
        store.put(key_of(modality, item), data)


def bad_items(modality: str) -> list[str]:
    """The broken ones of one modality."""
    return [item for kind, item in BROKEN if kind == modality]


@pytest.mark.fault("F12")
def test_bad_files_of_every_kind_are_left_out(shop: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each with its reason in the log, in rejected.csv and beside its copy in quarantine; all others are encoded."""
    break_files(shop)
    closing = night("one", config=preset(tmp_path, max_bad_share=0.5), missing="drop")
    for modality in MODALITIES:
        bad = bad_items(modality)
        counts = {"found": 20, "cached": 0, "extracted": 20 - len(bad), "rejected": len(bad), "kept": 20 - len(bad)}
        assert counts.items() <= closing[modality].items()
        check_vectors(shop, "one", modality, [item for item in ITEMS if item not in bad])
        rejected = extracted(shop, "one", modality).frame("rejected.csv", dtype=str)
        assert list(rejected.columns) == ["item_id", "key", "sha256", "reason"]
        assert list(rejected["item_id"]) == bad
        folder = f"quarantine/one/{modality}"
        reasons = json.loads(shop.get(f"{folder}/reasons.json"))
        for item in bad:
            data, reason = BROKEN[modality, item]
            key = key_of(modality, item)
            assert reasons[key].startswith(reason)
            assert f"{key} is left out: {reasons[key]}" in warnings_of(caplog)
            assert shop.get(f"{folder}/{key.rpartition('/')[2]}") == data == shop.get(key)
        assert len(reasons) == len(bad)
    assert align(run="one")["kept"] == 20 - len({item for _, item in BROKEN})


def test_bad_files_are_not_tried_again_every_night(
    shop: Store, history: History, tiny: dict[str, TinyEncoder], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is decoded in the second night, the same files are told and quarantined again; a mended one is taken."""
    break_files(shop)
    config = preset(tmp_path, max_bad_share=0.5)
    first = night("one", config=config)
    decoded = {modality: encoder.decoded for modality, encoder in tiny.items()}
    shop.put(key_of("text", "9"), medium("text", "9"))
    caplog.clear()
    second = night("two", config=config)
    for modality in MODALITIES:
        bad = bad_items(modality)
        mended = modality == "text"
        assert second[modality]["rejected"] == len(bad) - mended
        assert second[modality]["cached"] == first[modality]["extracted"]
        assert tiny[modality].decoded == decoded[modality] + mended
        kept = list(shop.list(f"quarantine/two/{modality}/"))
        assert len(kept) == len(bad) - mended + 1
    assert sum("is left out" in line for line in warnings_of(caplog)) == len(BROKEN) - 1


@pytest.mark.fault("F12")
def test_too_many_bad_files_end_the_run(shop: Store, tmp_path: Path) -> None:
    """Exit code 10 with names and reasons, and nothing that a later step could read; the evidence is in quarantine."""
    break_files(shop)
    look("one", config=preset(tmp_path, max_bad_share=0.2))
    extract(run="one", feature="text")
    with pytest.raises(
        ValidationFailed,
        match=rf"^5 of 20 image files cannot be used, expected at most 20.0%: {key_of('image', '1')} \(empty file\), ",
    ) as error:
        extract(run="one", feature="image")
    assert error.value.exit_code == 10
    assert not has_artefact(shop, "runs/one/extract-image")
    assert len(list(shop.list("quarantine/one/image/"))) == 6


def test_as_many_bad_files_as_allowed_do_not(shop: Store, tmp_path: Path) -> None:
    """The share is the most that is allowed."""
    break_files(shop)
    assert night("one", config=preset(tmp_path, max_bad_share=0.25))["image"]["rejected"] == 5


def test_a_long_list_of_bad_files_is_cut(shop: Store) -> None:
    """Ten are named, the others counted."""
    for item in ITEMS[:15]:
        shop.put(key_of("text", item), f"{item} \0".encode())
    look("one")
    with pytest.raises(ValidationFailed, match=r"^15 of 20 text files .* and 5 more$") as error:
        extract(run="one", feature="text")
    assert str(error.value).count("a NUL character") == 10


def test_nothing_usable_ends_the_run_whatever_is_allowed(shop: Store, tmp_path: Path) -> None:
    """A matrix without rows helps nobody."""
    for item in ITEMS:
        shop.put(key_of("text", item), b"")
    look("one", config=preset(tmp_path, max_bad_share=1.0))
    with pytest.raises(ValidationFailed, match="20 of 20 text files"):
        extract(run="one", feature="text")


def test_media_of_incomplete_items_are_not_encoded(shop: Store, tiny: dict[str, TinyEncoder]) -> None:
    """Where they are dropped; bad ones among them do not matter either."""
    drop(shop, ["21"], ["image", "text"])
    shop.put(key_of("text", "22"), b"")
    assert night("one", missing="drop")["text"]["found"] == 20
    assert tiny["image"].decoded == 20


def test_media_of_incomplete_items_are_encoded_where_gaps_are_filled(shop: Store, tiny: dict[str, TinyEncoder]) -> None:
    """Each of what it has."""
    drop(shop, ["21"], ["image", "text"])
    closing = night("one")
    assert {modality: closing[modality]["found"] for modality in MODALITIES} == {"image": 21, "audio": 20, "text": 21}
    assert align(run="one")["kept"] == 21


def test_equal_files_are_encoded_once(shop: Store, tiny: dict[str, TinyEncoder]) -> None:
    """Two items with one picture get the same vector, and both are there."""
    shop.put(key_of("image", "2"), medium("image", "1"))
    closing = night("one")["image"]
    assert (closing["extracted"], tiny["image"].encoded) == (20, 19)
    vectors = extracted(shop, "one", "image").array("vectors.npy")
    np.testing.assert_array_equal(vectors[0], vectors[1])


def test_a_second_attempt_takes_everything_from_the_cache(shop: Store, tiny: dict[str, TinyEncoder]) -> None:
    """And leaves the same result."""
    night("one")
    before = extracted(shop, "one", "image").manifest.files
    assert extract(run="one", feature="image")["cached"] == 20
    after = extracted(shop, "one", "image").manifest.files
    assert tiny["image"].encoded == 20
    assert {name: entry.sha256 for name, entry in after.items()} == {n: entry.sha256 for n, entry in before.items()}


DYING = """
import os, signal, sys
import pytest
from tasks.encoders import pipeline as encoding
from tasks.steps.extract import extract
from tests.steps.shop import encoders, use
encoding.BATCH, encoding.PART = 4, 4
found = encoders()
encode = found["text"].encode
def encode_twice_and_die(media):
    if found["text"].encoded == 8:
        os.kill(os.getpid(), signal.SIGKILL)
    return encode(media)
found["text"].encode = encode_twice_and_die
use(pytest.MonkeyPatch(), found)
extract(run="one", feature="text")
"""


@pytest.mark.fault("F4")
def test_a_run_that_was_killed_goes_on(shop: Store, tiny: dict[str, TinyEncoder]) -> None:
    """What had reached the cache when the process got SIGKILL is not encoded again; the result is whole."""
    look("one")
    done = subprocess.run([sys.executable, "-c", DYING], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    assert not has_artefact(shop, "runs/one/extract-text")
    closing = extract(run="one", feature="text")
    assert (closing["cached"], closing["extracted"], tiny["text"].encoded) == (8, 12, 12)
    check_vectors(shop, "one", "text", ITEMS)


def test_a_failing_encoder_keeps_what_it_did(
    shop: Store, tiny: dict[str, TinyEncoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of memory in the third batch: the first two are in the cache."""
    monkeypatch.setattr(encoding, "BATCH", 4)
    look("one")
    encode = tiny["text"].encode

    def encode_twice(media: list[object]) -> np.ndarray:
        if tiny["text"].encoded == 8:
            raise MemoryError("no more")
        return encode(media)

    with monkeypatch.context() as patch:
        patch.setattr(tiny["text"], "encode", encode_twice)
        with pytest.raises(MemoryError):
            extract(run="one", feature="text")
    assert extract(run="one", feature="text")["cached"] == 8


def test_parts_are_written_on_the_way(shop: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every PART media, or when PART_SECONDS have passed, however few there are."""
    monkeypatch.setattr(encoding, "BATCH", 4)
    look("one")
    for modality, bound, value, parts in (("image", "PART", 8, 3), ("text", "PART_SECONDS", 0.0, 5)):
        with monkeypatch.context() as patch:
            patch.setattr(encoding, bound, value)
            extract(run="one", feature=modality)
        assert sum(f"/{modality}/part-" in info.key for info in shop.list("embeddings/")) == parts


def test_media_that_changed_since_the_scan_wait_for_the_next_run(
    shop: Store, history: History, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Replaced or removed while the run was under way: left out with the reason, but nothing is held against them."""
    config = preset(tmp_path, max_bad_share=0.1)
    look("one", config=config)
    shop.put(key_of("text", "1"), medium("text", "77"))
    shop.delete(key_of("text", "2"))
    closing = extract(run="one", feature="text")
    assert (closing["rejected"], closing["kept"]) == (2, 18)
    rejected = extracted(shop, "one", "text").frame("rejected.csv")
    assert list(rejected["reason"]) == ["changed since the scan", "removed since the scan"]
    assert list(shop.list("quarantine/")) == []
    drop(shop, ["2"])
    again = night("two", config=config)["text"]
    assert (again["cached"], again["extracted"], again["rejected"]) == (18, 2, 0)


def test_a_bad_file_that_is_gone_is_not_quarantined(shop: Store, tmp_path: Path) -> None:
    """Known as bad from another night, removed since: the run goes on."""
    config = preset(tmp_path, max_bad_share=0.1)
    for item in ("1", "2"):
        shop.put(key_of("text", item), f"\0{item}".encode())
    night("one", config=config)
    look("two", config=config)
    shop.delete(key_of("text", "1"))
    assert extract(run="two", feature="text")["rejected"] == 2
    names = sorted(info.key.rpartition("/")[2] for info in shop.list("quarantine/two/"))
    assert names == ["2.txt", "reasons.json"]


def test_a_file_that_is_too_large_is_not_read(shop: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused by the size that the scan saw, whatever it is now."""
    monkeypatch.setitem(LARGEST, "text", 1_000)
    shop.put(key_of("text", "1"), b"a" * 1_001)
    closing = night("one")["text"]
    assert closing["rejected"] == 1
    (reason,) = extracted(shop, "one", "text").frame("rejected.csv")["reason"]
    assert reason == "1001 bytes, text may have 1000"


def test_a_vector_that_is_not_finite_is_none(
    shop: Store, tiny: dict[str, TinyEncoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One such file must not stop every night from now on: its item is left out."""
    encode = tiny["text"].encode

    def encode_oddly(media: list[str]) -> np.ndarray:
        rows = encode(media)
        rows[[text.count("a") == 4 for text in media], 1] = np.nan
        return rows

    monkeypatch.setattr(tiny["text"], "encode", encode_oddly)
    night("one")
    rejected = extracted(shop, "one", "text").frame("rejected.csv", dtype=str)
    assert rejected[["item_id", "reason"]].to_numpy().tolist() == [["3", "its vector is not finite"]]


@pytest.mark.parametrize(
    "rows",
    [np.zeros((20, 4)), np.zeros((20, 5), np.float32), np.zeros((19, 4), np.float32)],
    ids=["type", "width", "number"],
)
def test_an_encoder_that_breaks_its_contract_is_found_out(
    shop: Store, tiny: dict[str, TinyEncoder], monkeypatch: pytest.MonkeyPatch, rows: np.ndarray
) -> None:
    """Wrong type, width or number of rows: nothing of it is kept."""
    look("one")
    monkeypatch.setattr(tiny["text"], "encode", lambda _: rows)
    with pytest.raises(TaskError, match=rf"gave {rows.dtype} of shape .*, expected float32 of shape \(20, 4\)"):
        extract(run="one", feature="text")
    assert list(shop.list("embeddings/")) == []


def test_the_encoder_must_be_the_one_of_the_plan(shop: Store, tiny: dict[str, TinyEncoder]) -> None:
    """Weights that were exchanged in the middle of a run would give two kinds of vectors."""
    look("one")
    tiny["text"].identity = "tiny-text@ffffffffffff-t1-float32"
    with pytest.raises(TaskError, match="tiny-text@ffffffffffff-t1-float32 found, expected tiny-text@0123456789ab"):
        extract(run="one", feature="text")


def test_a_modality_that_is_not_of_the_run_is_refused(shop: Store) -> None:
    """With those that are."""
    look("one", modalities="image,text")
    with pytest.raises(BadInput, match="feature 'audio' found, expected one of the run's: image, text"):
        extract(run="one", feature="audio")


def test_a_ready_made_matrix_is_copied(folder_store: Store, history: History, tiny: dict[str, TinyEncoder]) -> None:
    """Row for row under its own ids; the media of other modalities are those that its items have."""
    drop(folder_store, ITEMS, ["image"])
    ids = ["3", "2", "99", "20"]
    vectors = load_matrix(folder_store, "text", ids)
    load_log(folder_store, ITEMS)
    closing = night("one", ["image", "text"], missing="drop")
    assert {"found": 4, "extracted": 0, "width": 5, "encoder": None}.items() <= closing["text"].items()
    np.testing.assert_array_equal(extracted(folder_store, "one", "text").array("vectors.npy"), vectors)
    assert item_ids(extracted(folder_store, "one", "text")) == ids
    check_vectors(folder_store, "one", "image", ["2", "3", "20"])
    assert align(run="one")["kept"] == 3
    assert tiny["text"].encoded == 0
