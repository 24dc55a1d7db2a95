"""Text files: accepted ones, and the reasons of refusal."""

from __future__ import annotations

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
        ("plot".encode("utf-16-be"), "a NUL character in the text"),
        ("caf\u00e9 noir".encode("latin-1"), r"not UTF-8 text \(byte 0xe9 at 3\)"),
        ("\u201cplot\u201d".encode("cp1252"), r"not UTF-8 text \(byte 0x93 at 0\)"),
        (b"\xed\xa0\x80", "not UTF-8 text"),
        (b"plot\0plot", "a NUL character in the text"),
        (b"\x89PNG\r\n\x1a\n", "not UTF-8 text"),
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
    assert decode_text(text.encode()) == text


def outcome(data: bytes) -> str:
    """Return the text, or the reason of refusal."""
    try:
        return decode_text(data)
    except BadMedia as error:
        return str(error)


@given(st.binary())
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """There is no other exception and never an empty text."""
    assert outcome(data).strip()
