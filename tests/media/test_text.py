"""Text files: accepted ones, and the reasons of refusal."""

from __future__ import annotations

import bz2
import gzip
import lzma
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.media import LARGEST, BadMedia
from tasks.media.text import decode_text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("Zwei Städte. 愛 🎬".encode(), "Zwei Städte. 愛 🎬"),
        ("plot".encode("utf-8-sig"), "plot"),
        (b"\r\n one\r\ntwo\t\n", "one\r\ntwo"),
    ],
    ids=["UTF-8", "with a byte order mark", "with blanks around"],
)
def test_utf8_is_read(data: bytes, text: str) -> None:
    """A byte order mark and surrounding blanks are removed; line ends within the text are kept."""
    assert decode_text(data) == text


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b" \r\n\t\xc2\xa0", "empty text"),
        ("\u200b\ufeff\u200d".encode(), "empty text"),
        ("plot".encode("utf-16"), "UTF-16 text, not UTF-8"),
        ("plot".encode("utf-16-be"), "UTF-16 text, not UTF-8"),
        ("Ein Roman über Ärger".encode("utf-16-le"), "UTF-16 text, not UTF-8"),
        ("Война и мир, роман в четырёх томах".encode("utf-16-be"), "UTF-16 text, not UTF-8"),
        ("plot".encode("utf-32"), "UTF-32 text, not UTF-8"),
        ("a plot".encode("utf-32-be"), "UTF-32 text, not UTF-8"),
        ("a plot".encode("utf-32-le"), "UTF-32 text, not UTF-8"),
        ("caf\u00e9 noir".encode("latin-1"), r"not UTF-8 text \(byte 0xe9 at 3\), perhaps Latin-1: save it as UTF-8$"),
        ("\u201cplot\u201d".encode("cp1252"), r"not UTF-8 text \(byte 0x93 at 0\), perhaps Windows-1252: save it as"),
        (gzip.compress(b"plot"), "gzip, not a text: unpack it$"),
        (b"PK\3\4\x14\0\0\0\0\0plot", "zip, not a text: unpack it$"),
        (lzma.compress(b"plot"), "xz, not a text: unpack it$"),
        (bz2.compress(b"plot"), "bzip2, not a text: unpack it$"),
        (b"\n<!doctype html>\n<title>404</title>", "HTML page, not a text$"),
        (b"\xef\xbb\xbf<HTML><body>Gone", "HTML page, not a text$"),
        (b'<?xml version="1.0"?><Error/>', "XML, not a text$"),
        (b'{"message": "Not found"}', "JSON, not a text$"),
        (b"{\\rtf1\\ansi plot}", "RTF, not a text$"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "PDF, not a text$"),
        (b"\xed\xa0\x80", "not UTF-8 text"),
        (b"plot\0plot", "a NUL character in the text"),
        (b"\x89PNG\r\n\x1a\n", "PNG, not a text"),
    ],
)
def test_what_is_no_text_is_refused(data: bytes, reason: str) -> None:
    """The reason names the error of the encoding, or says that the text is empty."""
    with pytest.raises(BadMedia, match=f"^{reason}"):
        decode_text(data)


def test_a_text_may_be_as_large_as_the_limit_and_no_larger() -> None:
    """The limit is on bytes, and the reason names it."""
    limit = LARGEST["text"]
    assert len(decode_text(b"a" * limit)) == limit
    with pytest.raises(BadMedia, match=rf"^{limit + 1} bytes, text may have {limit}$"):
        decode_text(b"a" * (limit + 1))


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1))
def test_every_visible_text_survives(text: str) -> None:
    """Decoding inverts encoding for any visible text."""
    assert decode_text(text.encode()) == unicodedata.normalize("NFC", text)


def test_a_text_is_composed() -> None:
    """As most programs write it, so that the same words have the same tokens whatever wrote them."""
    assert decode_text("Jose\u0301, der Ko\u0308nig".encode()) == "Jos\u00e9, der K\u00f6nig"


@pytest.mark.parametrize(
    "text",
    ["MZ is a hero.", "Rar! said the lion.", "ORC wars", "BZh", "GIF89a, a history", "[1994] A film.", '["Hm"] he said',
     "{sic} a plot", "ID3 and RIFF", "BM", "<b>A film</b> with html", "8BPS", "PAR1"],
)  # fmt: skip
def test_a_story_may_begin_with_what_other_files_begin_with(text: str) -> None:
    """A mark made of letters tells nothing by itself."""
    assert decode_text(text.encode()) == text


def outcome(data: bytes) -> str:
    """Return the text, or the reason of refusal."""
    try:
        return decode_text(data)
    except BadMedia as error:
        return str(error)


@given(st.binary() | st.text().map(lambda text: text.encode("utf-16-le")))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """There is no other exception and never an empty text."""
    assert outcome(data).strip()
