"""The kinds of texts and logs that `mutations` damages; the rows of a log are counted another way."""

from __future__ import annotations

import csv
import gzip
import io
import re
import tempfile
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tasks.data import read_interactions
from tasks.errors import BadInput
from tasks.media import BadMedia
from tasks.media.text import decode_text
from tests.media.mutations import Kind

WORDS = ["Städte", "and", "a \u201cplot\u201d", "e\u0301", "愛", "\n", "1,2", "🎬"]
HEADS = {"csv": ["user_id", "item_id", "title"], "tsv": ["user_id", "item_id", "title"], "dat": []}


def story(rng: np.random.Generator) -> bytes:
    """A text of some words."""
    return " ".join(rng.choice(WORDS, 80)).encode(["utf-8", "utf-8-sig"][int(rng.integers(2))])


def log(kind: str) -> Callable[[np.random.Generator], bytes]:
    """A maker of logs, a CSV with quotes and line ends within them."""

    def make(rng: np.random.Generator) -> bytes:
        ids = rng.integers(0, 50, (60, 2)).tolist()
        if kind == "dat":
            return "".join(f"{user}::{item}::4::978300760\n" for user, item in ids).encode()
        rows = [[f"u{user}", f"i{item}", " ".join(rng.choice(WORDS, 3))] for user, item in ids]
        out = io.StringIO()
        end = ["\n", "\r\n"][int(rng.integers(2))]
        if kind == "csv":
            csv.writer(out, lineterminator=end).writerows([HEADS[kind], *rows])
        else:
            lines = ["\t".join(HEADS[kind]), *("\t".join(row).replace("\n", '"') for row in rows)]
            out.write(end.join(lines))
        return out.getvalue().encode()

    return make


def packed(rng: np.random.Generator) -> bytes:
    """A CSV in two members of gzip."""
    data = log("csv")(rng)
    half = data.index(b"\n", len(data) // 2) + 1
    return gzip.compress(data[:half], mtime=0) + gzip.compress(data[half:], mtime=0)


def read(data: bytes, name: str) -> int:
    """The number of rows of a log."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        try:
            return read_interactions(path, implicit=True).rows
        except BadInput as error:
            raise BadMedia(str(error).replace("0x", "")[:200]) from error  # checksums look like addresses


def judge(data: bytes, rows: object, *, quoted: bool = False, head: int = 1) -> str:
    """Python's own reader finds as many rows."""
    text = data.decode("utf-8-sig", "replace")
    if quoted:
        csv.field_size_limit(1 << 30)
        found = sum(map(bool, csv.reader(io.StringIO(text, newline=""), strict=True)))
    else:
        found = sum(map(bool, re.split(r"\r\n|\r|\n", text)))
    return "" if rows == found - head else f"{rows} rows, Python finds {found - head}"


TEXTS = {
    "text": Kind(
        story,
        decode_text,
        lambda _data, text: "" if text and text == unicodedata.normalize("NFC", str(text)) else "not composed",
    ),
    "log-csv": Kind(
        log("csv"),
        lambda data: read(data, "log.csv"),
        lambda data, rows: judge(data, rows, quoted=b"\t" not in data.splitlines()[0]),
    ),
    "log-tsv": Kind(log("tsv"), lambda data: read(data, "log.tsv"), judge),
    "log-dat": Kind(log("dat"), lambda data: read(data, "log.dat"), lambda data, rows: judge(data, rows, head=0)),
    "log-gzip": Kind(
        packed,
        lambda data: read(data, "log.csv.gz"),
        lambda data, rows: judge(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data, rows, quoted=True),
    ),
}
