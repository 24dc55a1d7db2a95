"""Features whose texts are written from item records: scanned, encoded, cached and refused as files are."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import BadInput, NotFound, ValidationFailed
from tasks.media import BadMedia
from tasks.steps.align import align
from tasks.steps.check_embeddings import check_embeddings
from tasks.steps.encode import encode
from tasks.steps.extract import extract
from tasks.steps.load_items import load_items
from tasks.store import History, Store, read_artefact
from tests.steps.shop import (
    DATASET,
    TinyEncoder,
    decide,
    drop,
    encoders,
    extracted,
    item_ids,
    load_log,
    look,
    use,
)

pytestmark = pytest.mark.services
ITEMS = ["1", "2", "3", "4"]
RECORDS = "item_id,title,year,genres\n1,abba,1999,a|b\n2,cab,,c\n3,bbb,2001,\n"
NAME = {"modality": "text", "encoder": "tiny", "template": "{title}[ {year}]"}
KIND = {"modality": "text", "encoder": "tiny", "template": "{genres}"}


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> dict[str, TinyEncoder]:
    """The encoders that the steps find."""
    found = encoders()
    use(monkeypatch, found)
    return found


@pytest.fixture
def shop(folder_store: Store, history: History, tiny: dict[str, TinyEncoder], tmp_path: Path) -> Store:
    """Four items with pictures, three of which have a record."""
    drop(folder_store, ITEMS, ["image"])
    load_log(folder_store, ITEMS)
    records(tmp_path, RECORDS)
    return folder_store


def records(folder: Path, text: str) -> None:
    """Load them."""
    (folder / "items.csv").write_text(text, encoding="utf-8")
    load_items(file=str(folder / "items.csv"), dataset=DATASET)


def plan(run: str, missing: str = "drop", **features: dict[str, str]) -> dict[str, object]:
    """Scan with these features."""
    return look(run, features=json.dumps(features), encoder=None, missing=missing)


def vectors(store: Store, run: str, feature: str) -> dict[str, list[float]]:
    """Item -> its vector: the numbers of a, b and c, and the length."""
    out = extracted(store, run, feature)
    return dict(zip(item_ids(out), out.array("vectors.npy").tolist(), strict=True))


def test_a_text_is_written_from_the_record_of_an_item(shop: Store) -> None:
    """Whoever lacks a field in brackets has the rest, whoever lacks another field lacks the feature."""
    counts = plan("one", name=NAME, kind=KIND)
    assert (counts["name_found"], counts["kind_found"], counts["with_all"]) == (3, 2, 2)
    said = [extract(run="one", feature=name) for name in ("name", "kind")]
    assert [(one["found"], one["kept"], one["rejected"]) for one in said] == [(2, 2, 0)] * 2
    assert vectors(shop, "one", "name") == {"1": [2.0, 2.0, 0.0, 9.0], "2": [1.0, 1.0, 1.0, 3.0]}
    assert vectors(shop, "one", "kind") == {"1": [1.0, 1.0, 0.0, 4.0], "2": [0.0, 0.0, 1.0, 1.0]}


def test_what_is_made_of_it_is_checked_as_of_a_file(shop: Store) -> None:
    """Each vector against the text that the scan wrote down by its sha256."""
    plan("one", missing="zero", name=NAME, poster={"modality": "image", "encoder": "tiny"})
    for name in ("name", "poster"):
        extract(run="one", feature=name)
    align(run="one")
    with suppress(ValidationFailed):  # four items are too few for other expectations
        check_embeddings(run="one")
    results = read_artefact(shop, "runs/one/check-embeddings").json("report.json")["results"]
    of_media = [one for one in results if one["expectation"] == "media_are_those_of_the_item"]
    assert [one["success"] for one in of_media] == [True, True]


def test_only_what_is_written_otherwise_is_encoded_again(
    shop: Store, history: History, tiny: dict[str, TinyEncoder], tmp_path: Path
) -> None:
    """Another version of the records, or another item with the same text, costs nothing; a run without news is none."""
    plan("one", name=NAME)
    extract(run="one", feature="name")
    assert tiny["text"].encoded == 3
    decide(shop, history, "one")
    records(tmp_path, RECORDS.replace("cab", "cabc") + "4,bbb,2001,\n")
    counts = plan("two", name=NAME)
    assert counts["new_media"] == 1
    said = extract(run="two", feature="name")
    assert (said["cached"], said["extracted"]) == (3, 1)
    assert tiny["text"].encoded == 4


def test_shards_encode_written_texts_too(shop: Store, tiny: dict[str, TinyEncoder]) -> None:
    """And `extract` finds them."""
    plan("one", name=NAME)
    for shard in ("1/2", "2/2"):
        encode(run="one", feature="name", shard=shard)
    assert extract(run="one", feature="name")["cached"] == 3


def test_a_text_that_an_encoder_refuses_is_named_as_a_file_is(
    shop: Store, tiny: dict[str, TinyEncoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the reason, in the closing sentence and in quarantine, where there is no file to copy."""

    def refuse(data: bytes) -> str:
        if data == b"cab":
            raise BadMedia("too plain")
        return data.decode()

    monkeypatch.setattr(tiny["text"], "_decode", refuse)
    plan("one", name=NAME)
    with pytest.raises(ValidationFailed, match=r"1 of 3 text files cannot be used.*#2 \(too plain\)"):
        extract(run="one", feature="name")
    (key,) = [info.key for info in shop.list("quarantine/")]
    assert key.endswith("reasons.json")


@pytest.mark.parametrize(
    ("feature", "sentence"),
    [
        (NAME | {"template": "{titel}"}, "has titel, expected fields of the item records: title, year, genres"),
        (NAME | {"template": "{title"}, "feature 'name': template '{title': '{' alone found"),
        (NAME | {"modality": "image"}, "feature 'name' of image has a template, expected one of modality text"),
    ],
)
def test_a_template_that_cannot_be_is_said_at_the_scan(shop: Store, feature: dict[str, str], sentence: str) -> None:
    """Before anything is encoded."""
    with pytest.raises(BadInput, match=sentence):
        plan("one", name=feature)


def test_without_records_nothing_can_be_written(
    folder_store: Store, history: History, tiny: dict[str, TinyEncoder], tmp_path: Path
) -> None:
    """The command that loads some is named; so is a template that nobody fits."""
    drop(folder_store, ITEMS, ["image"])
    load_log(folder_store, ITEMS)
    with pytest.raises(NotFound, match="the dataset has none, expected `load-items`"):
        plan("one", name=NAME)
    records(tmp_path, "item_id,title,plot\n1,abba,\n2,,x\n")
    unfit: dict[str, Any] = NAME | {"template": "{title}{plot}"}
    with pytest.raises(BadInput, match="no item has a text by the template of feature 'name'"):
        plan("one", name=unfit)
