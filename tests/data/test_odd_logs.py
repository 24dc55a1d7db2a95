"""Texts with quotes, line ends, long values and packing of every kind: each row is read once, or the line is named."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import sqlite3
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.data import read_interactions, unpacked
from tasks.errors import BadInput
from tests.data.test_readers import rows, write

LINES = [f"u{number},i{number % 500},Title {number}" for number in range(2000)]


def count_rows(text: str) -> int:
    """Line ends outside quotes, in a text that ends with one, less those of blank lines and the header."""
    found, within, filled = -1, False, False
    for character in text:
        within ^= character == '"'
        if character == "\n" and not within:
            found += filled
            filled = False
        else:
            filled = filled or character != "\r"
    return found


def number_of_rows(path: Path) -> int:
    """Rows of a log as it is read."""
    return read_interactions(path).rows


@pytest.mark.parametrize("name", ["log.tsv", "log.inter", "log.txt"])
def test_between_tabs_a_quote_is_a_character(tmp_path: Path, name: str) -> None:
    """An open quote loses no row, and one that is part of an id stays; also in the header."""
    lines = [line.replace(",", "\t") for line in ['user_id,item_id,"title', *LINES]]
    lines[10], lines[20] = 'u9\ti9\t"Heroes', 'u"19\t"i19"\tTitle 19'
    read = read_interactions(write(tmp_path, name, "\n".join(lines) + "\n"))
    assert read.rows == 2000
    assert ('u"19', '"i19"') in rows(read.interactions)


FAULTS = {
    "never closed": ('u9,i9,"Heroes', 11, "a quote that is not closed"),
    "within a value": ('u9,i9,a "hero"', 11, "a quote within a value"),
    "behind the value": ('u9,i9,"a" hero', 11, "a quote within a value"),
    "closed as another opens": ('u9,i9,"Heroes\nu,i,"a"', 11, "a quote that is not closed"),
    "rows within": ('u9,i9,"Heroes\nu10,i10,Title\nu11,i11,the end"', 11, "a quoted value with rows in it"),
    "one row within": ('u9,i9,"Heroes\nu10,i10,Heroes"', 11, "a quoted value with rows in it"),
    "in front of the ids": ('"u9,i9,a', 11, "a quote that is not closed"),
}


@pytest.mark.parametrize("chunk", [50, 1 << 24])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_misplaced_or_open_quote_is_refused_with_its_line(
    tmp_path: Path, fault: str, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In CSV, behind quoted line ends too, which the number of the line counts."""
    monkeypatch.setattr(unpacked, "CHUNK", chunk)
    line, number, what = FAULTS[fault]
    text = "\n".join(["user_id,item_id,title", *LINES[:7], '"a\nb","c",""', line, *LINES[10:200]]) + "\n"
    with pytest.raises(BadInput, match=rf"^line {number} of log\.csv has {what}"):
        number_of_rows(write(tmp_path, "log.csv", text))


def test_a_quoted_value_may_have_what_a_review_has(tmp_path: Path) -> None:
    """Line ends, separators, quotes, a table of numbers; none of it is a row."""
    review = 'I said ""no"",\nthen, finally, yes.\r\n\n1,2,3\nu,i\nu1,i 1,x'
    text = "user_id,item_id,text\n" + "".join(f'u{n},i{n},"{review}"\n' for n in range(50))
    assert number_of_rows(write(tmp_path, "log.csv", text)) == 50


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_quoted_line_ends_are_read_at_any_size(tmp_path: Path, ending: str) -> None:
    """Beyond a block of Arrow, in one value and in many."""
    many = "".join(f'u{n},i{n % 500},"line one {n}\nline two"\n' for n in range(40_000))
    story, long = 'ab ""cd"" é\n' * 100_000, "x" * 5_000_000
    large = f'v,"j","{story}"\nw,k,"{long}"\nx,l,{long}\n'
    read = read_interactions(write(tmp_path, f"log.csv{ending}", "user_id,item_id,text\n" + many + large + many))
    assert read.rows == 80_003
    assert rows(read.interactions)[40_000:] == [("v", "j"), ("w", "k"), ("x", "l")]


def test_a_long_id_does_not_become_a_short_one(tmp_path: Path) -> None:
    """What is cut from long values is never what makes an id bad."""
    for value in ("ü" * 400_000, '"' + "ü" * 400_000 + '"', '"' + '""' * 400_000 + '"'):
        with pytest.raises(BadInput, match=r"column item_id of log\.csv has the id .* in row 1, expected 1 to 255"):
            number_of_rows(write(tmp_path, "log.csv", f"user_id,item_id\nu,{value}\n"))


def test_memory_is_bounded_where_a_quote_is_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is not read to its end."""
    monkeypatch.setattr("tasks.data.rows.LONGEST_ROW", 1 << 20)
    monkeypatch.setattr(unpacked, "CHUNK", 1 << 18)
    path = write(tmp_path, "log.csv", 'user_id,item_id,t\nu,i,"x\n' + "a line\n" * 1_000_000)
    tracemalloc.start()
    with pytest.raises(BadInput, match=r"^line 2 of log\.csv has a quote that is not closed within 1048576 bytes"):
        number_of_rows(path)
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("head", ["title,user_id,item_id", "user_id,title,item_id"])
def test_rows_are_swallowed_wherever_the_ids_stand(tmp_path: Path, head: str) -> None:
    """In front of the value, behind it, and on both sides; a review of two lines is none of it."""
    whole = [{"title": f"Title {n}", "user_id": f"u{n}", "item_id": f"i{n}"} for n in range(9)]
    for first, last, lost in (('"Heroes', 'Heroes"', True), ('"a\nb"', '"a, b, c\nd"', False)):
        found = [dict(row) for row in whole]
        found[3]["title"], found[6]["title"] = first, last
        text = "\n".join([head, *(",".join(row[name] for name in head.split(",")) for row in found)]) + "\n"
        path = write(tmp_path, "log.csv", text)
        if lost:
            with pytest.raises(BadInput, match=r"^line 5 of log\.csv has a quoted value with rows in it"):
                number_of_rows(path)
        else:
            assert number_of_rows(path) == 9


def test_ids_of_letters_and_digits_in_any_order_are_known_by_their_length(tmp_path: Path) -> None:
    """Such as ASIN, and hexadecimal numbers."""
    lines = [f"{n * 2654435761 % 2**32:08x},B{n * 40503 % 2**16:05d}X{n % 10},Title {n}" for n in range(9)]
    lines[3] = lines[3].replace("Title", '"Heroes')
    lines[5] += '"'
    with pytest.raises(BadInput, match=r"^line 5 of log\.csv has a quoted value with rows in it"):
        number_of_rows(write(tmp_path, "log.csv", "\n".join(["user_id,item_id,title", *lines]) + "\n"))


CELL = st.text(st.sampled_from('ab ,;"\n\r\té'), max_size=8)
IDS = st.text(st.sampled_from("uvé1"), min_size=1, max_size=3)


@given(
    log=st.lists(st.tuples(IDS, IDS, CELL, CELL), min_size=1, max_size=30),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    separator=st.sampled_from(",;|"),
    chunk=st.integers(1, 60),
)
def test_each_row_of_a_csv_is_read(  # noqa: PLR0917
    tmp_path_factory: pytest.TempPathFactory,
    log: list[tuple[str, str, str, str]],
    end: str,
    quoting: int,
    separator: str,
    chunk: int,
) -> None:
    """As many as there are line ends outside quotes, in their order, wherever blocks end."""
    if quoting == csv.QUOTE_MINIMAL:  # Python does not quote a carriage return that ends no line
        log = [(user, item, one.replace("\r", ""), two.replace("\r", "")) for user, item, one, two in log]
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator=end, quoting=quoting)  # type: ignore[arg-type]
    writer.writerows([("user_id", "item_id", "one", "two"), *log])
    path = write(tmp_path_factory.mktemp("log"), "log.csv", out.getvalue())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unpacked, "CHUNK", chunk)
        try:
            read = read_interactions(path)
        except BadInput as error:
            if "rows in it" not in str(error):  # of so few letters a value may well look like one
                raise
            return
    assert read.rows == count_rows(out.getvalue()) == len(log)
    assert rows(read.interactions) == list(dict.fromkeys((user, item) for user, item, *_ in log))


@settings(max_examples=150)
@given(body=st.text(st.sampled_from('u1,"\n'), max_size=60), chunk=st.integers(1, 20))
def test_any_csv_is_read_by_its_line_ends_or_refused(
    tmp_path_factory: pytest.TempPathFactory, body: str, chunk: int
) -> None:
    """There is no other exception, and no row is lost: what is read has a row for each line end outside quotes."""
    text = f"user_id,item_id\n{body}\n"
    path = write(tmp_path_factory.mktemp("log"), "log.csv", text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unpacked, "CHUNK", chunk)
        try:
            found = number_of_rows(path)
        except BadInput:
            return
    assert found == count_rows(text)
    assert list(csv.reader(io.StringIO(text), strict=True))


@pytest.mark.parametrize("separator", [",", "\t", "::"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_is_read(tmp_path: Path, end: str, separator: str) -> None:
    """That of old Macs too; blank lines are no rows, and a last line needs no end."""
    head = [] if separator == "::" else [separator.join(["user_id", "item_id", "t", "timestamp"])]
    lines = head + [separator.join([f"u{n}", "i", "3", str(n)]) for n in range(9)]
    for text in (end.join(lines), end.join([*lines, ""]), end.join([*lines[:4], "", *lines[4:], "", "", ""])):
        read = read_interactions(write(tmp_path, "log", "\ufeff" + text), implicit=True)
        assert rows(read.interactions) == [(f"u{n}", "i") for n in range(9)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("u,i,", "has 3 columns, expected 2"),
        ("u", "has 1 columns, expected 2"),
        ("u,i,t", "has 3 columns, expected 2"),
        (" ", "has 1 columns, expected 2"),
        ('"u,i"', "has 1 columns, expected 2"),
    ],
)
@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_a_row_with_other_columns_is_refused_with_its_line(
    tmp_path: Path, row: str, message: str, separator: str
) -> None:
    """A delimiter at its end makes one more; the number counts all lines of the file."""
    if separator == "\t" and '"' in row:
        row = "u,i,j"
        message = "has 3 columns, expected 2"
    lines = ["user_id,item_id", "a,b", "", "c,d", row, "e,f"]
    text = "\n".join(lines).replace(",", separator) + "\n"
    with pytest.raises(BadInput, match=rf"^line 5 of log\.csv {message} in each row"):
        number_of_rows(write(tmp_path, "log.csv", text))


def test_a_gzip_of_several_members_is_read_whole(tmp_path: Path) -> None:
    """As programs write it that append; one that was cut is refused."""
    parts = [b"user_id,item_id\n" + b"".join(b"u%d,i\n" % n for n in range(100)), b"v,j\n", b"w,k\n"]
    data = b"".join(map(gzip.compress, parts))
    path = tmp_path / "log.csv.gz"
    path.write_bytes(data)
    assert number_of_rows(path) == 102
    for length in (1, 5, 9, len(gzip.compress(parts[2])) - 1):
        path.write_bytes(data[:-length])
        with pytest.raises(BadInput, match=r"log\.csv\.gz is not readable as"):
            number_of_rows(path)


def other_files(folder: Path) -> dict[str, bytes]:
    """Kind -> a file of it with a log in it."""
    text = "user_id,item_id\n" + "".join(f"u{n},i{n}\n" for n in range(99))
    data = text.encode()
    archive, book, tape = io.BytesIO(), io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("log.csv", text)
    with zipfile.ZipFile(book, "w") as zipped:
        zipped.writestr("[Content_Types].xml", "<Types/>")
        zipped.writestr("xl/workbook.xml", "<workbook/>")
    with tarfile.open(fileobj=tape, mode="w") as tarred:
        entry = tarfile.TarInfo("log.csv")
        entry.size = len(data)
        tarred.addfile(entry, io.BytesIO(data))
    with sqlite3.connect(folder / "log.db") as base:
        base.execute("CREATE TABLE log (user_id, item_id)")
    base.close()
    return {
        "zip": archive.getvalue(),
        r"Excel \(xlsx\)": book.getvalue(),
        "tar": tape.getvalue(),
        "xz": lzma.compress(data),
        "bzip2": bz2.compress(data),
        "zstd": pa.compress(data, codec="zstd", asbytes=True),
        "SQLite": (folder / "log.db").read_bytes(),
        "JSON": b'[{"user_id": 1, "item_id": 2}]\n',
        "HTML page": b"<!DOCTYPE html>\n<html><title>Sign in, please</title></html>\n",
        "UTF-16 text": text.encode("utf-16"),
        "UTF-32 text": text.encode("utf-32-be"),
        "PDF": b"%PDF-1.7\n",
    }


def test_what_is_no_text_is_called_what_it_is(tmp_path: Path) -> None:
    """With what to do, under any name and when it was told to be a CSV, and gzipped as well."""
    for kind, data in other_files(tmp_path).items():
        for name in ("log.csv", "log.gz", "log"):
            path = write(tmp_path, name, data)
            for told in ("auto", "csv"):
                with pytest.raises(BadInput, match=rf"^{name} is {kind}, expected text .* or Parquet: \w+"):
                    read_interactions(path, format_name=told)
    with pytest.raises(BadInput, match=r"is UTF-16 text, .*: save it as UTF-8$"):
        number_of_rows(write(tmp_path, "log.csv", "user_id,item_id\nu,i\n".encode("utf-16-le")))
    with pytest.raises(BadInput, match=r"not readable as csv: .*UTF8.*\(save it as UTF-8\)$"):
        number_of_rows(write(tmp_path, "log.csv", "user_id,item_id\nJosé,i\n".encode("latin-1")))
