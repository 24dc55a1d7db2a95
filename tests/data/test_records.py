"""Item records: types of fields, what is refused with its row, and that every table is read as it was written."""

from __future__ import annotations

import csv
import io
import unicodedata
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.data.item_tables import read_item_table
from tasks.data.records import Records, make_records
from tasks.errors import BadInput, NotFound
from tests.data.test_readers import write

FILMS = """item_id,title,year,genres,released,rating,code
1,"Dr. ""No""
again",1962,Action|Thriller | Action,1962-10-05,7.2,007
2,1984,,,,8,0451
3,,1999,|,1999-03-31,,
"""


def records_of(path: Path, **options: object) -> Records:
    """The records of a file."""
    given_ = {"types": {}, "title_column": None, "separator": "|"} | options
    return make_records(read_item_table(path), **given_)  # type: ignore[arg-type]  # a test's own options


def test_fields_have_the_types_of_their_names_or_of_their_cells(tmp_path: Path) -> None:
    """A title of digits stays text, zeros in front make a code, and an empty cell is no field of the item."""
    records = records_of(write(tmp_path, "items.csv", FILMS))
    assert records.fields == {
        "title": "text",
        "year": "year",
        "genres": "list",
        "released": "date",
        "rating": "number",
        "code": "text",
    }
    assert records.of("1") == {
        "title": 'Dr. "No"\nagain',
        "year": 1962,
        "genres": ["Action", "Thriller"],
        "released": date(1962, 10, 5),
        "rating": 7.2,
        "code": "007",
    }
    assert records.of("2") == {"title": "1984", "rating": 8.0, "code": "0451"}
    assert records.of("3") == {"year": 1999, "released": date(1999, 3, 31)}
    assert records.of("4") == {}


def test_people_are_shown_title_and_year_beside_the_id(tmp_path: Path) -> None:
    """In one line; what has no title is shown by its id alone, and a year is not said twice."""
    text = 'item_id,title,year\na,"Two\nlines",1962\nb,,1999\nc,Heat (1995),1995\nd,Ran,\n'
    records = records_of(write(tmp_path, "items.csv", text))
    shown = [records.label(item) for item in ("a", "b", "c", "d", "unknown")]
    assert shown == ["a  Two lines (1962)", "b", "c  Heat (1995)", "d  Ran", "unknown"]


@pytest.mark.parametrize(
    ("types", "sentence"),
    [
        ({"code": "year"}, r"column code of items\.csv has '007' in row 1, expected a year from 1 to 9999"),
        ({"rating": "date"}, r"column rating of items\.csv has '7\.2' in row 1, expected a date as YYYY-MM-DD"),
        ({"title": "number"}, r"column title of items\.csv has .* in row 1, expected a number"),
        ({"rating": "colour"}, "type 'colour' of rating found, expected one of text, number, year, date, list"),
        ({"plot": "text"}, "a type of 'plot' found, expected one of the fields title, year"),
    ],
)
def test_a_cell_that_is_not_of_its_type_is_refused_with_its_row(
    tmp_path: Path, types: dict[str, str], sentence: str
) -> None:
    """And a type that is none, or of no field."""
    with pytest.raises(BadInput, match=sentence):
        records_of(write(tmp_path, "items.csv", FILMS), types=types)


def test_all_columns_that_are_wrong_are_named_at_once(tmp_path: Path) -> None:
    """One answer for the whole table."""
    path = write(tmp_path, "items.csv", "item_id,year,rating\n1,soon,inf\n")
    with pytest.raises(BadInput, match=r"column year .* 'soon' in row 1.*; column rating .* 'inf' in row 1") as error:
        records_of(path, types={"rating": "number"})
    assert str(error.value).count("--type") == 2


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("items.csv", "item_id,title\n1,a\n2,b\n1,c\n", r"items\.csv has '1' in rows 1 and 3, expected one row"),
        ("items.csv", "item_id,title\n1,a\n001,b\n", r"items\.csv has '1' and '001' in rows 1 and 2, expected one row"),
        ("items.csv", 'item_id,title\n1,"a\n2,b\n', r"line 2 of items\.csv has a quote that is not closed"),
        ("items.csv", "item_id,title\n1,a\n2,b,c\n", r"line 3 of items\.csv has 3 columns, expected 2"),
        ("items.csv", "item_id,title\n,a\n", r"column item_id of items\.csv has the id '' in row 1"),
        ("items.csv", "item_id,title\n1,\x1b[31mred\n", r"column title .* in row 1, expected a text without control"),
        ("items.csv", "item_id,title\n", r"items\.csv has no rows, expected item records"),
        ("items.csv", "title,year\na,1999\n", r"items\.csv, read as csv .* expected one for the item"),
        ("items.csv", "item_id\n1\n", "expected columns between tabs"),
        ("items.csv", "item_id,Title,title\n1,a,b\n", "has two columns for title, expected one"),
        ("items.csv", "item_id,a b,?\n1,a,b\n", r"column '\?' found, expected names of letters"),
        ("movies.dat", "1::Toy Story (1995)::Comedy\n", "no line with their names, expected item records with a head"),
        ("items.csv", "PK\x03\x04", r"items\.csv is zip, expected text"),
    ],
)
def test_what_is_no_table_of_items_is_refused(tmp_path: Path, name: str, text: str, sentence: str) -> None:
    """As a log is, with the line or the row, and an item that is there twice, in whatever writing."""
    with pytest.raises(BadInput, match=sentence):
        records_of(write(tmp_path, name, text))


def test_a_text_is_never_cut(tmp_path: Path) -> None:
    """A row that is too long for its reader is refused with its line; logs, where nobody reads it, shorten it."""
    text = 'item_id,plot\n1,"a\nb"\n2,' + "x" * 600_000 + "\n"
    with pytest.raises(BadInput, match=r"^line 4 of items\.csv has 600002 bytes, expected rows of at most 524288"):
        records_of(write(tmp_path, "items.csv", text))
    whole = records_of(write(tmp_path, "items.csv", "item_id,plot\n1," + "x" * 500_000 + "\n"))
    assert len(whole.of("1")["plot"]) == 500_000


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    """With what was expected."""
    with pytest.raises(NotFound, match="expected a file of item records"):
        read_item_table(tmp_path / "items.csv")


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    """Lists, times and numbers; ids may be whole numbers, and the name of the title is given."""
    table = pa.table(
        {
            "movieId": pa.array([10, 9]),
            "name": ["Ran", None],
            "genres": pa.array([["War", "War", ""], []], pa.list_(pa.string())),
            "seen": pd.to_datetime(["1985-06-01 10:00", None]),
            "score": pa.array([1.5, float("nan")]),
        }
    )
    pq.write_table(table, tmp_path / "items.parquet")
    records = records_of(tmp_path / "items.parquet", title_column="name")
    assert records.ids.tolist() == ["9", "10"]  # in the order of numbers
    assert records.of("9") == {}
    assert records.of("10") == {"title": "Ran", "genres": ["War"], "seen": date(1985, 6, 1), "score": 1.5}


TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=12).map(lambda text: " ".join(text.split()))
ROWS = st.dictionaries(st.integers(0, 999).map(str), st.tuples(TEXT, st.one_of(st.none(), st.integers(1, 9999))))


@given(rows=ROWS.filter(bool))
def test_every_table_comes_back_as_it_was_written(
    rows: dict[str, tuple[str, int | None]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever stands in titles; the order of rows changes neither the records nor the bytes of their version."""
    folder = tmp_path_factory.mktemp("records")
    for name, pairs in (("a", list(rows.items())), ("b", list(rows.items())[::-1])):
        text = io.StringIO()
        table = csv.writer(text, quoting=csv.QUOTE_ALL)
        table.writerow(["item_id", "title", "year", "tags"])
        table.writerows([item, title, year or "", f"a|{item}"] for item, (title, year) in pairs)
        records = records_of(write(folder, f"{name}.csv", text.getvalue()))
        for item, (title, year) in rows.items():
            given_: dict[str, object] = {
                "title": unicodedata.normalize("NFC", title),
                "year": year,
                "tags": ["a", item],
            }
            assert records.of(item) == {field: value for field, value in given_.items() if value}
        records.save(folder / f"{name}.parquet")
        assert Records.load(folder / f"{name}.parquet").table.equals(records.table)
    assert (folder / "a.parquet").read_bytes() == (folder / "b.parquet").read_bytes()
