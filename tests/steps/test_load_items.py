"""`load-items`: versions of records by content, and where people see them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tasks.__main__ import main
from tasks.errors import BadInput
from tasks.runs.inventory import fingerprint_media
from tasks.steps.load_items import load_items
from tasks.store import Store, read_artefact
from tasks.store.item_records import current_records, read_records

TABLE = "movie,name,year,genres\n1,Ran,1985,War/Drama\n2,Heat,1995,\n"
OPTIONS = ["--title-column", "name", "--separator", "/", "--type", "year=number"]


def items(folder: Path, text: str = TABLE, name: str = "items.csv") -> str:
    """Write a table."""
    (folder / name).write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return str(folder / name)


def load(folder: Path, text: str = TABLE) -> dict[str, object]:
    """Load a table into the dataset `films`."""
    return load_items(file=items(folder, text), dataset="films", title_column="name")


def test_a_table_is_loaded_as_a_person_types_it(
    folder_store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Types and separator by options; the manifest keeps what was decided."""
    assert main(["load-items", items(tmp_path, name="items.csv.gz"), "--dataset", "films", *OPTIONS]) == 0
    closing = json.loads(capsys.readouterr().out.splitlines()[-1])
    fields = {"title": "text", "year": "number", "genres": "list"}
    prefix = current_records(folder_store, "films")
    assert closing == {"records": prefix, "changed": True, "items": 2, "fields": fields}
    manifest = read_artefact(folder_store, str(prefix)).manifest
    assert manifest.counts == {"items": 2, "fields": 3}
    assert manifest.parameters == {
        "source": "items.csv.gz",
        "format": "csv",
        "item": "movie",
        "types": fields,
        "separator": "/",
    }
    records = read_records(folder_store, prefix)
    assert records.of("1") == {"title": "Ran", "year": 1985.0, "genres": ["War", "Drama"]}


def test_the_version_is_the_content(folder_store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The same records in another order change nothing and say so; others are current then, and watchers see it."""
    first, listed = load(tmp_path), fingerprint_media(folder_store, "films", {})
    with caplog.at_level("INFO"):
        again = load(tmp_path, "movie,name,year,genres\n2,Heat,1995,\n1,Ran,1985,War/Drama\n")
    assert again == {**first, "changed": False}
    assert "these records are already the current ones" in caplog.text
    assert fingerprint_media(folder_store, "films", {}) == listed
    other = load(tmp_path, "movie,name\n1,Ran\n")
    assert other["records"] != first["records"]
    assert current_records(folder_store, "films") == other["records"]
    assert fingerprint_media(folder_store, "films", {}) != listed


@pytest.mark.usefixtures("folder_store")
def test_records_without_a_title_are_loaded_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """People would be shown ids alone, and may not know why."""
    load_items(file=items(tmp_path), dataset="films")
    assert "there is no title, so people are shown ids alone (--title-column names one)" in caplog.text


@pytest.mark.usefixtures("folder_store")
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"types": ["year"]}, "--type 'year' found, the field without a type, expected FIELD=TYPE once"),
        ({"types": ["year=year", "year=text"]}, "--type 'year=text' found, the field twice"),
        ({"separator": ""}, "--separator '' found"),
        ({"columns": "name,plot"}, "expected 'plot' among them"),
        ({"columns": "name,name"}, "columns name are asked for twice"),
        ({"title_column": "plot"}, "expected the title in 'plot'"),
        ({"dataset": "a/b"}, "dataset 'a/b' found"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path: Path, options: dict[str, object], sentence: str) -> None:
    """In one sentence, and nothing is stored."""
    with pytest.raises(BadInput, match=sentence):
        load_items(**{"file": items(tmp_path), "dataset": "films"} | options)  # type: ignore[arg-type]
