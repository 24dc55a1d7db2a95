"""Logs in all supported formats, valid and broken."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.data import Columns, Interactions, read_interactions, unpacked
from tasks.data.prepared import read_prepared
from tasks.data.readers import Reading
from tasks.errors import BadInput, NotFound
from tests.data.logs import named

PAIRS = {("u1", "a"), ("u1", "b"), ("u2", "a")}


def write(tmp_path: Path, name: str, text: str | bytes) -> Path:
    """Write a file with that text, gzipped for a name with .gz."""
    data = text.encode() if isinstance(text, str) else text
    path = tmp_path / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def rows(log: Interactions) -> list[tuple[str, str]]:
    """Return the pairs in order."""
    users, items = log.user_ids[log.users].tolist(), log.item_ids[log.items].tolist()
    return list(zip(users, items, strict=True))


FILES = {
    "log.inter": ("userID\titemID\tx_label\nu1\ta\t0\nu1\tb\t1\nu2\ta\t2\n", "inter"),
    "typed.inter": ("user_id:token\titem_id:token\ttimestamp:float\nu1\ta\t1\nu1\tb\t2\nu2\ta\t3\n", "inter"),
    "log.csv": ("user_id,item_id\nu1,a\nu1,b\nu2,a\n", "csv"),
    "quoted.csv": ('"userId","movieId"\n"u1","a"\nu1,"b"\n"u2",a', "csv"),
    "windows.csv": ("\ufeffuser_id,item_id\r\nu1,a\r\nu1,b\r\nu2,a\r\n", "csv"),
    "log.tsv": ("userID\tMovieID\torder\nu1\ta\t-1\nu1\tb\tx\nu2\ta\t\n", "tsv"),
    "log.csv.gz": ("user_id,item_id\nu1,a\nu1,b\nu2,a\n", "csv"),
    "export.txt": ("user,item\nu1,a\nu1,b\nu2,a\n", "csv"),
    "export": ("user\titem\nu1\ta\nu1\tb\nu2\ta\n", "tsv"),
    "wrong.csv": ("user\titem\nu1\ta\nu1\tb\nu2\ta\n", "tsv"),
}


@pytest.mark.parametrize("name", FILES)
def test_every_text_format_is_recognised_and_read(tmp_path: Path, name: str) -> None:
    """Each file gives the same three interactions, without a format option."""
    text, kind = FILES[name]
    reading = read_interactions(write(tmp_path, name, text))
    assert named(reading.interactions) == PAIRS
    assert (reading.format, reading.rows, reading.duplicates, reading.below_threshold) == (kind, 3, 0, 0)


@pytest.mark.parametrize("name", ["ratings.dat", "ratings.dat.gz", "ml-1m.txt", "bom.dat"])
def test_movielens_ratings_are_read(tmp_path: Path, name: str) -> None:
    """user::item::rating::timestamp is read without a header; ratings and times are complete."""
    text = (
        "\ufeff" if name == "bom.dat" else ""
    ) + "1::1193::5::978300760\n1::661::3::978302109\n12::1193::4::978298413"
    reading = read_interactions(write(tmp_path, name, text), threshold=4)
    assert reading.format == "dat"
    assert rows(reading.interactions) == [("1", "1193"), ("12", "1193")]
    assert reading.interactions.timestamps is not None
    assert reading.interactions.timestamps.tolist() == [978300760, 978298413]
    assert reading.below_threshold == 1


def test_double_colons_are_split_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A separator at the border of two blocks is recognised."""
    monkeypatch.setattr(unpacked, "CHUNK", 7)
    lines = [f"{user}::{item}::5::{100 + user}" for user in range(9) for item in range(9)]
    log = read_interactions(write(tmp_path, "ratings.dat", "\n".join(lines)), implicit=True).interactions
    assert rows(log) == [(str(user), str(item)) for user in range(9) for item in range(9)]


@pytest.mark.parametrize("kind", ["string", "large_string", "int64", "categorical", "pandas"])
def test_parquet_is_read_whatever_type_its_ids_have(tmp_path: Path, kind: str) -> None:
    """Text, integers and categories become ids with their displayed text."""
    users, items = ["5", "5", "7"], ["10", "9", "10"]
    columns: dict[str, object] = {
        "string": pa.array(users),
        "large_string": pa.array(users, pa.large_string()),
        "int64": pa.array([5, 5, 7]),
        "categorical": pa.array(users).dictionary_encode(),
        "pandas": pd.Categorical(users),
    }
    path = tmp_path / "anything"
    pq.write_table(pa.table({"user_id": columns[kind], "item_id": items, "unused": [None, [1], [2]]}), path)
    reading = read_interactions(path)
    assert (reading.format, reading.why) == ("parquet", "by its first bytes")
    assert rows(reading.interactions) == list(zip(users, items, strict=True))


@pytest.mark.parametrize(
    "ids", [["007", "7"], ["NA", "null"], ["1.0", "1"], ["a b", "ü::ñ"], ["-1", "0"], ["x" * 255, "y"]]
)
def test_ids_stay_exactly_as_written(tmp_path: Path, ids: list[str]) -> None:
    """Leading zeros, words such as NA, decimals: each distinct text is a distinct id."""
    text = "user,my item\n" + "".join(f"u,{one}\n" for one in ids)
    log = read_interactions(write(tmp_path, "log.csv", text), columns=Columns(item="my item")).interactions
    assert log.item_ids.tolist() == ids


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(-1000, 1000), st.integers(0, 2)),
        min_size=1,
        max_size=40,
    )
)
def test_of_repeated_pairs_the_earliest_row_stays(
    tmp_path_factory: pytest.TempPathFactory, log: list[tuple[int, int, int, int]]
) -> None:
    """Each pair is kept once, in file order, with the time and label of its earliest row."""
    frame = pd.DataFrame(log, columns=["userID", "itemID", "timestamp", "x_label"])
    path = tmp_path_factory.mktemp("log") / "log.inter"
    frame.to_csv(path, sep="\t", index=False)
    reading = read_interactions(path)
    earliest = frame.sort_values("timestamp", kind="stable").drop_duplicates(["userID", "itemID"]).sort_index()
    kept = reading.interactions
    assert rows(kept) == [(str(u), str(i)) for u, i in zip(earliest["userID"], earliest["itemID"], strict=True)]
    assert kept.timestamps is not None
    assert kept.labels is not None
    assert kept.timestamps.tolist() == earliest["timestamp"].tolist()
    assert kept.labels.tolist() == earliest["x_label"].tolist()
    assert reading.duplicates == len(frame) - len(earliest)


def test_without_times_the_first_of_repeated_rows_stays(tmp_path: Path) -> None:
    """The first row in the file is kept."""
    reading = read_interactions(write(tmp_path, "l.inter", "userID\titemID\tx_label\n1\t1\t2\n2\t1\t0\n1\t1\t0\n"))
    assert reading.interactions.labels is not None
    assert reading.interactions.labels.tolist() == [2, 0]
    assert reading.duplicates == 1


def ratings(tmp_path: Path, *, threshold: float | None = None, implicit: bool = False) -> Reading:
    """Write a log with the ratings 1, 3.5 and 5."""
    path = write(tmp_path, "r.csv", "user_id,item_id,rating\na,x,1\nb,y,3.5\nc,z,5\n")
    return read_interactions(path, threshold=threshold, implicit=implicit)


def test_ratings_count_from_the_threshold_up(tmp_path: Path) -> None:
    """Rows rated at least the threshold are kept, the others counted; users and items without rows are removed."""
    reading = ratings(tmp_path, threshold=3.5)
    assert named(reading.interactions) == {("b", "y"), ("c", "z")}
    assert (reading.rows, reading.below_threshold) == (3, 1)
    assert reading.interactions.user_ids.tolist() == ["b", "c"]


def test_implicit_keeps_every_row_and_does_not_look_at_the_ratings(tmp_path: Path) -> None:
    """With --implicit the ratings need not be numbers."""
    assert len(ratings(tmp_path, implicit=True).interactions) == 3
    path = write(tmp_path, "odd.csv", "user_id,item_id,rating\na,x,good\nb,y,\n")
    assert len(read_interactions(path, implicit=True).interactions) == 2


@pytest.mark.parametrize(
    ("threshold", "implicit", "message"),
    [
        (None, False, "'rating' and neither --threshold nor --implicit was given, expected either --threshold"),
        (3.0, True, "'rating' and both --threshold and --implicit was given"),
        (5.5, False, r"r\.csv has no rating of at least 5\.5, expected some \(the highest is 5\)"),
        (float("nan"), False, "--threshold nan found, expected a finite number"),
    ],
)
def test_what_ratings_mean_has_to_be_said(
    tmp_path: Path, threshold: float | None, implicit: bool, message: str
) -> None:
    """There is no default for explicit ratings."""
    with pytest.raises(BadInput, match=message):
        ratings(tmp_path, threshold=threshold, implicit=implicit)


def test_a_threshold_needs_ratings(tmp_path: Path) -> None:
    """A threshold for a log without ratings is an error, which names the option for the column."""
    path = write(tmp_path, "s.csv", "user_id,item_id,stars\na,x,1\nb,y,5\n")
    with pytest.raises(BadInput, match=r"--threshold 3 found for s\.csv with columns .*'stars'.*--rating-column"):
        read_interactions(path, threshold=3)
    assert len(read_interactions(path, threshold=3, columns=Columns(rating="stars")).interactions) == 1


OPINIONS = {
    "stars": ["1", "2", "5"],
    "Bewertung": ["1", "2", "3"],
    "note": ["12.5", "20", "7"],
    "score": ["0.13", "0.7", "0.55"],
    "relevance_score": ["113", "2000", "7"],
    "gusto": ["1", "5", "3"],
    "halves": ["0.5", "4.5", "3"],
    "liked": ["0", "1", "1"],
    "is_click": ["false", "true", "true"],
    "flag": ["true", "true", "false"],
    "userVote": ["like", "dislike", "like"],
    "weight": ["12", "7043", "1"],
    "rating:float": ["-3.4", "9.9", "0"],
}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("name", OPINIONS)
def test_a_column_that_could_be_ratings_is_never_passed_over(tmp_path: Path, name: str, kind: str) -> None:
    """By its name or its values; a row of one star became a like. --implicit says that it does not matter."""
    if kind == "csv" or name in {"userVote", "rating:float"}:
        lines = [f"u{row},i{row},{value}\n" for row, value in enumerate(OPINIONS[name])]
        path = write(tmp_path, "log.csv", f"user,item,{name}\n" + "".join(lines))
    else:
        values = [json.loads(value) for value in OPINIONS[name]]
        path = tmp_path / "log.parquet"
        pq.write_table(pa.table({"user": ["a", "b", "c"], "item": ["x", "y", "z"], name: values}), path)
    with pytest.raises(BadInput, match=r"--threshold .* or --implicit") as error:
        read_interactions(path)
    assert f"'{name}'" in str(error.value)
    reading = read_interactions(path, implicit=True)
    assert len(reading.interactions) == 3


@pytest.mark.fault("F18")
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("comment", ["good", "bad", "bad"]),
        ("note", [f"a remark of the user {number}" for number in range(30)]),
        ("category_id", ["1", "2", "3"]),
        ("session", ["1000", "1001", "1002"]),
        ("price", ["1.99", "2.49", "7.99"]),
        ("rating_date", ["2020-01-01", "2020-01-02", "2020-01-01"]),
        ("constant", ["1", "1", "1"]),
        ("stars", ["", "", ""]),
        ("year", ["1999", "2000", "2001"]),
    ],
)
def test_other_columns_are_ignored_and_named(tmp_path: Path, name: str, values: list[str]) -> None:
    """Texts, numbers of things, dates and columns in which nothing differs say nothing about liking."""
    lines = [f"u{row},i{row},{value}\n" for row, value in enumerate(values)]
    roles = read_interactions(write(tmp_path, "log.csv", f"user,item,{name}\n" + "".join(lines))).roles
    assert roles.ignored == (name,)
    assert roles.describe(None) == f"user: user, item: item, rating: none, time: none; ignored: {name}"


def test_ratings_that_are_true_or_false_are_one_and_zero(tmp_path: Path) -> None:
    """So that the events that did not happen can be left out."""
    path = write(tmp_path, "clicks.csv", "user,item,is_click\na,x,true\nb,y,false\n")
    reading = read_interactions(path, columns=Columns(rating="is_click"), threshold=1)
    assert named(reading.interactions) == {("a", "x")}
    assert reading.roles.describe(1) == "user: user, item: item, rating: is_click (>= 1), time: none; ignored: none"


def test_with_a_rating_that_counts_others_are_ignored(tmp_path: Path) -> None:
    """The user has said which column decides."""
    path = write(tmp_path, "log.csv", "user,item,rating,liked,text\na,x,5,0,hm\nb,y,1,1,oh\n")
    assert read_interactions(path, threshold=4).roles.ignored == ("liked", "text")


DELIMITED = "user{0}movie{0}stars{0}when{0}comment\nu1{0}a{0}5{0}1970-01-02{0}well, yes\nu2{0}b{0}1{0}1970-01-03{0}no\n"


@pytest.mark.parametrize(
    ("character", "given", "why"),
    [
        (";", ";", "by --delimiter"),
        ("|", "|", "by --delimiter"),
        ("\t", "tab", "by --delimiter"),
        ("\t", "\\t", "by --delimiter"),
        ("^", "^", "by --delimiter"),
        (";", None, "by its first line"),
        ("|", None, "by its first line"),
        ("\t", None, "by its first line"),
    ],
)
def test_columns_may_stand_between_other_characters(
    tmp_path: Path, character: str, given: str | None, why: str
) -> None:
    """What is usual is recognised in the header, anything else is told."""
    path = write(tmp_path, "log.csv", DELIMITED.format(character))
    columns = Columns(item="movie", rating="stars", timestamp="when")
    reading = read_interactions(path, delimiter=given, columns=columns, threshold=4)
    assert (rows(reading.interactions), reading.why) == ([("u1", "a")], why)
    assert reading.interactions.timestamps is not None
    assert reading.interactions.timestamps.tolist() == [86_400]
    said = "user: user, item: movie, rating: stars (>= 4), time: when; ignored: comment"
    assert reading.roles.describe(4) == said


@pytest.mark.parametrize(
    ("text", "delimiter", "kind", "message"),
    [
        ("user^item\na^x\n", None, "auto", "begins with 'user.item', expected .*--delimiter names another character"),
        ("user,item\na,x\n", ";", "auto", "begins with 'user,item', expected columns between ';'"),
        ("user,item\na,x\n", "::", "auto", "--delimiter '::' found, expected one character .*--format dat"),
        ("user,item\na,x\n", "", "auto", "--delimiter '' found, expected one character"),
        ("user,item\na,x\n", ",", "parquet", "--delimiter ',' and --format parquet found, expected one of them"),
        ("user;item;a,b\na;x;1\n", None, "csv", "has columns .*'user;item;a'.*; --delimiter names what is between"),
        ("1,10,5,978300760\n1,11,3,97\n", None, "auto", "the first line looks like a row: put a line with names above"),
    ],
)
def test_a_wrong_guess_says_how_to_tell(
    tmp_path: Path, text: str, delimiter: str | None, kind: str, message: str
) -> None:
    """The error names the option, or what is wrong with it."""
    with pytest.raises(BadInput, match=message):
        read_interactions(write(tmp_path, "log.csv", text), delimiter=delimiter, format_name=kind)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (["978300760", "978300761"], [978300760, 978300761]),
        (["10.9", "-0.5"], [10, -1]),
        (["1970-01-01 00:01:00", "1969-12-31T23:59:59"], [60, -1]),
        (["1970-01-01T00:00:00Z", "1970-01-01T01:00:00+01:00"], [0, 0]),
        (["1970-01-02", "1970-01-03"], [86_400, 172_800]),
        (["1970-01-01 00:00:00.999", "1970-01-01 00:00:01"], [0, 1]),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_times_become_whole_seconds(tmp_path: Path, times: list[str], expected: list[int], kind: str) -> None:
    """Times can be seconds or ISO 8601, with or without a zone, as text, numbers or dates."""
    if kind == "csv":
        path = write(
            tmp_path, "t.csv", "user_id,item_id,timestamp\n" + "".join(f"u,{row},{t}\n" for row, t in enumerate(times))
        )
    else:
        path = tmp_path / "t.parquet"
        pq.write_table(pa.table({"user_id": ["u", "u"], "item_id": ["0", "1"], "timestamp": times}), path)
    timestamps = read_interactions(path).interactions.timestamps
    assert timestamps is not None
    assert timestamps.dtype == np.int64
    assert timestamps.tolist() == expected


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_of_parquet_may_have_any_unit(tmp_path: Path, unit: str) -> None:
    """Arrow timestamps of any unit give the same seconds."""
    moments = pa.array([60, 120], pa.timestamp("s")).cast(pa.timestamp(unit, tz="UTC"))
    pq.write_table(
        pa.table({"user_id": ["u", "u"], "item_id": ["0", "1"], "timestamp": moments}), tmp_path / "t.parquet"
    )
    timestamps = read_interactions(tmp_path / "t.parquet").interactions.timestamps
    assert timestamps is not None
    assert timestamps.tolist() == [60, 120]


HEADER = "user_id,item_id,rating,timestamp,x_label\n"
FAULTS = {
    "no user": (
        "a,x,1,1,0\n,y,1,1,0\n",
        "column user_id of f.csv has the id '' in row 2, expected 1 to 255 characters",
    ),
    "no item": ("a,x,1,1,0\na,,1,1,0\n", "column item_id of f.csv has the id '' in row 2"),
    "blank user": ("a,x,1,1,0\n   ,y,1,1,0\n", "column user_id of f.csv has the id '   ' in row 2"),
    "blank behind": ("a,x,1,1,0\nb,y ,1,1,0\n", "has the id 'y ' in row 2, expected .* without blanks around them"),
    "tab inside": (
        "a,x,1,1,0\nb,y\tz,1,1,0\n",
        r"has the id 'y\\tz' in row 2, expected .* without control characters",
    ),
    "nul inside": ("a,x,1,1,0\nb,y\0,1,1,0\n", r"has the id 'y\\x00' in row 2"),
    "endless id": ("a,x,1,1,0\nb," + "y" * 300 + ",1,1,0\n", r"has the id 'y+\.\.\.' in row 2"),
    "rating a word": ("a,x,1,1,0\nb,y,good,1,0\n", "column rating of f.csv has 'good' in row 2, expected numbers"),
    "rating a date": ("a,x,2020-01-01,1,0\n", "column rating of f.csv is of type date32.*, expected numbers"),
    "everything": (
        "a,x,good,noon,5\n,y,1,1,0\n",
        "user_id .* '' in row 2.*timestamp .* 'noon' in row 1.*x_label .* 5 in row 1.*; column rating .* 'good' in",
    ),
    "rating missing": ("a,x,1,1,0\nb,y,,1,0\n", r"has no number in row 2 \(1 such rows\)"),
    "rating never": ("a,x,,1,0\n", "column rating of f.csv has no value in any row"),
    "rating nan": ("a,x,1,1,0\nb,y,nan,1,0\n", r"has a number that is not finite in row 2 \(1 such rows\)"),
    "rating inf": ("a,x,inf,1,0\n", "has a number that is not finite in row 1"),
    "time a word": ("a,x,1,1,0\nb,y,1,noon,0\n", "column timestamp of f.csv has 'noon' in row 2, expected numbers"),
    "no time": ("a,x,1,1,0\nb,y,1,,0\n", "column timestamp of f.csv has no number in row 2"),
    "no date": ("a,x,1,2020-01-01,0\nb,y,1,,0\n", "column timestamp of f.csv has no time in row 2"),
    "a date that is none": ("a,x,1,2020-01-01,0\nb,y,1,2020-13-01,0\n", "has the time '2020-13-01' in row 2, expected"),
    "zone in some rows": ("a,x,1,2020-01-01 00:00:00,0\nb,y,1,2020-01-01 00:00:00Z,0\n", "has the time .* in row 2"),
    "milliseconds": (
        "a,x,1,978300760000,0\n",
        "has the time 978300760000 in row 1, expected seconds since 1970: divide",
    ),
    "label": ("a,x,1,1,0\nb,y,1,1,3\n", "column x_label of f.csv has 3 in row 2, expected 0"),
    "half a label": ("a,x,1,1,0.5\n", "column x_label of f.csv has 0.5 in row 1"),
    "ragged": ("a,x,1,1,0\nb,y\n", "line 3 of f.csv has 2 columns, expected 5 in each row"),
    "nothing": ("", "f.csv has no rows, expected interactions"),
}


@pytest.mark.fault("F18")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_its_column_and_row(tmp_path: Path, fault: str) -> None:
    """The error says what was found, where, and what was expected."""
    body, message = FAULTS[fault]
    with pytest.raises(BadInput, match=message):
        read_interactions(write(tmp_path, "f.csv", HEADER + body), threshold=0)


def test_rows_of_faults_are_rows_of_the_file(tmp_path: Path) -> None:
    """Row numbers in errors include the rows below the threshold."""
    with pytest.raises(BadInput, match="in row 3"):
        read_interactions(write(tmp_path, "f.csv", HEADER + "a,x,1,1,0\nb,x,1,1,0\nc, y,5,1,0\n"), threshold=4)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("e.csv", b"", "e.csv is empty, expected interactions"),
        ("e.csv.gz", b"", r"e\.csv\.gz begins with '', expected columns between tabs, commas, .*, or Parquet"),
        ("p.csv", b"just a line\n", "p.csv begins with 'just a line', expected columns between"),
        ("b.csv", b"\x89PNG\r\n\x1a\n\0\0\xff", "b.csv is PNG, expected text"),
        ("c.csv", b"who,what\n1,2\n", r"has columns \['who', 'what'\], expected one for the user: .* for the item: .*"),
        ("C.csv", b"who,what\n1,2\n", r"C\.csv, read as csv \(columns between ','\), has columns"),
        ("d.csv", b"user_id,what\n1,2\n", "expected one for the item: item_id, .* or another that --item-column names"),
        ("t.csv", b"user_id,item_id,item_id\n1,2,3\n", r"t\.csv has the columns \['item_id'\] more than once"),
        (
            "two.csv",
            b"user_id,userId,item_id\n1,2,3\n",
            r"has columns \['user_id', 'userId'\] for the user, expected one",
        ),
        ("x.csv", b"USR,ITM\n1,2\n", "expected one for the user"),
        ("l.csv", b"user_id,item_id\n1,\xff\xfe\n", "l.csv is not readable as csv"),
        ("f.parquet", b"PAR1 and no more", "f.parquet is not readable as parquet"),
        ("bad.csv.gz", None, "bad.csv.gz is not readable as"),
    ],
)
def test_a_file_that_is_no_log_is_refused_in_a_sentence(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    """Empty, binary and broken files and files with a wrong header or suffix are refused."""
    if content is None:
        path = tmp_path / name
        path.write_bytes(gzip.compress(b"user_id,item_id\n" + b"1,2\n" * 50_000)[:80])
    else:
        path = write(tmp_path, name, content)
    with pytest.raises(BadInput, match=message) as error:
        read_interactions(path)
    assert "\n" not in str(error.value)


@pytest.mark.fault("F18")
def test_a_parquet_with_unusable_columns_is_refused(tmp_path: Path) -> None:
    """Decimal ids are refused rather than written as '1.0', and missing ones are named by row."""
    path = tmp_path / "p.parquet"
    pq.write_table(pa.table({"user_id": [1.0, 2.0], "item_id": ["a", "b"]}), path)
    with pytest.raises(BadInput, match=r"column user_id of p\.parquet is of type double, expected ids that are text"):
        read_interactions(path)
    pq.write_table(pa.table({"user_id": ["a", "b"], "item_id": pa.array([7, None])}), path)
    with pytest.raises(BadInput, match=r"column item_id of p\.parquet has no id in row 2 \(1 such rows\)"):
        read_interactions(path)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (Columns(user="nobody"), r"o\.csv, read as csv .* has columns .* expected the user in 'nobody'"),
        (Columns(item="user_id"), "expected a different one for each purpose"),
        (Columns(timestamp="when"), "expected the timestamp in 'when'"),
    ],
)
def test_named_columns_have_to_be_there(tmp_path: Path, columns: Columns, message: str) -> None:
    """A named column that is missing is never replaced by a recognised one."""
    with pytest.raises(BadInput, match=message):
        read_interactions(write(tmp_path, "o.csv", "user_id,item_id\n1,2\n"), columns=columns)


@pytest.mark.parametrize(
    "names",
    ["user,movie,when", "Customer ID,ASIN,Date", "reviewer-id,product_id,createdAt", "userId,movieId,when,item_x"],
)
def test_other_usual_names_are_recognised_where_there_are_no_better_ones(tmp_path: Path, names: str) -> None:
    """Whatever their case, and however their words are joined; also the time, which would otherwise be lost."""
    row = "u,x,1970-01-02" + (",y" if names.count(",") == 3 else "")
    read = read_interactions(write(tmp_path, "log.csv", f"{names}\n{row}\n")).interactions
    assert (read.user_ids.tolist(), read.item_ids.tolist()) == (["u"], ["x"])
    assert read.timestamps is not None
    assert read.timestamps.tolist() == [86_400]


def test_two_other_usual_names_are_ambiguous(tmp_path: Path) -> None:
    """An artist is no track; beside an `item_id` both are other columns."""
    with pytest.raises(
        BadInput, match=r"has columns .*artist.*track.* for the item, expected one: choose it by --item"
    ):
        read_interactions(write(tmp_path, "plays.csv", "user,artist,track\nu,a,x\n"))
    read = read_interactions(write(tmp_path, "plays.csv", "user,artist,track,item_id\nu,a,x,7\n"))
    assert read.interactions.item_ids.tolist() == ["7"]


def test_a_named_column_settles_which_of_two_counts(tmp_path: Path) -> None:
    """If two columns could be the user's, the option decides."""
    path = write(tmp_path, "two.csv", "user_id,userId,item_id\n1,2,3\n")
    assert read_interactions(path, columns=Columns(user="userId")).interactions.user_ids.tolist() == ["2"]


def test_the_format_can_be_told(tmp_path: Path) -> None:
    """A format given by option is used as it is, and the error for an unknown format lists the known ones."""
    path = write(tmp_path, "x.bin", "user,item\nu1,a\nu1,b\nu2,a\n")
    reading = read_interactions(path, format_name="csv")
    assert (named(reading.interactions), reading.why) == (PAIRS, "by --format")
    with pytest.raises(BadInput, match="format 'xls' found, expected one of auto, inter, dat, csv, tsv, parquet"):
        read_interactions(path, format_name="xls")
    with pytest.raises(BadInput, match="not readable as parquet"):
        read_interactions(path, format_name="parquet")


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    """A folder is refused too."""
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(NotFound, match="does not exist, expected a file of interactions"):
            read_interactions(path)


def test_what_unpacks_beyond_all_measure_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unpacking a small file to a huge one is stopped."""
    monkeypatch.setattr(unpacked, "LARGEST", 1 << 20)
    bomb = write(tmp_path, "bomb.csv.gz", b"user_id,item_id\n" + b"1,2\n" * (1 << 20))
    assert bomb.stat().st_size < 20_000
    with pytest.raises(BadInput, match=r"bomb\.csv\.gz unpacks to more than 1048576 bytes"):
        read_interactions(bomb)


def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    """A line longer than the limit is refused."""
    with pytest.raises(BadInput, match="has a line of more than 65536 bytes"):
        read_interactions(write(tmp_path, "r.dat", "1::2::3::4\n" + "1::" * 50_000), implicit=True)


def test_a_prepared_log_is_read_by_its_columns(tmp_path: Path) -> None:
    """It has row and column numbers and the ids of the mappings; other files are refused."""
    path = write(tmp_path, "p.inter", "userID\titemID\tx_label\ttimestamp\n0\t1\t0\t9\n1\t0\t2\t9\n")
    log = read_prepared(path, np.array(["a", "b"]), np.array(["x", "y"]))
    assert rows(log) == [("a", "y"), ("b", "x")]
    assert log.timestamps is not None
    assert log.timestamps.tolist() == [9, 9]
    untimed = write(tmp_path, "u.inter", "userID\titemID\tx_label\n0\t1\t0\n")
    assert read_prepared(untimed, np.array(["a"]), np.array(["x", "y"])).timestamps is None
    with pytest.raises(BadInput, match="codes from 0 to 1 found, expected codes into 1 ids"):
        read_prepared(path, np.array(["a"]), np.array(["x", "y"]))
    header = "userID\titemID\tx_label"
    for text in (
        *("userID\titemID\n0\t1\n", f"{header}\n0\tone\t1\n", f"{header}\n0\t\t1\n"),
        *(f"{header}\ttimestamp\n0\t0\t1\tnow\n", f"{header}\ttimestamp\n0\t0\t1\t\n"),
    ):
        with pytest.raises(BadInput, match=r"q\.inter is not a prepared log"):
            read_prepared(write(tmp_path, "q.inter", text), np.array(["a"]), np.array(["x"]))
