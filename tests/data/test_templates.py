"""Texts that are written from item records."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.data.templates import parse_template
from tasks.errors import BadInput

RECORD = {
    "title": "Heat",
    "year": 1995,
    "genres": ["Action", "Crime"],
    "plot": None,
    "people": [],
    "rating": 7.5,
    "votes": 12.0,
    "título": "Calor",
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{title}", "Heat"),
        ("{title} ({year}): {genres}", "Heat (1995): Action, Crime"),
        ("{title}[ ({year})][. Plot: {plot}].", "Heat (1995)."),
        ("[{plot}]", None),
        ("[With {people}. ]{title}", "Heat"),
        ("{title} {plot}", None),
        ("{title}[ by {director}]", "Heat"),
        ("{{{title}}} [[{year}]]", "{Heat} [1995]"),
        ("{genres} {genres}", "Action, Crime Action, Crime"),
        ("{rating} {votes}", "7.5 12"),
        ("{título}", "Calor"),
    ],
)
def test_what_is_in_brackets_may_be_missing_and_nothing_else(template: str, text: str | None) -> None:
    """A list is joined by commas; without a field outside of brackets there is no text."""
    assert parse_template(template).write(RECORD) == text


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("no field", "expected at least one field"),
        ("", "expected at least one field"),
        ("{title", "'{' alone found"),
        ("title}", "'}' alone found"),
        ("{}", "field '' found"),
        ("{title!r}", "field 'title!r' found"),
        ("{a.__class__}", "field 'a.__class__' found"),
        ("[{title}", "'\\[' found that does not end"),
        ("{title}]", "'\\]' found, expected brackets in pairs"),
        ("[{title}[{year}]]", "'\\[' found, expected brackets in pairs"),
    ],
)
def test_a_template_that_is_none_says_why(template: str, sentence: str) -> None:
    """In one sentence, with the template; a field is a name and no expression."""
    with pytest.raises(BadInput, match=sentence):
        parse_template(template)


def test_the_fields_are_named_once() -> None:
    """In the order of the text."""
    assert parse_template("{b}[ {a}][ {b}]").fields == ["b", "a"]


@given(value=st.text(min_size=1).filter(str.strip))
def test_a_value_is_text_and_never_a_template(value: str) -> None:
    """Whatever braces and brackets it has."""
    assert parse_template("{title}").write({"title": value}) == value.strip()


@given(text=st.text())
def test_what_is_doubled_stands_as_it_is(text: str) -> None:
    """So that any text can be written."""
    for mark in "{}[]":
        text = text.replace(mark, mark * 2)
    shown = parse_template("{title}" + text).write({"title": "x"})
    for mark in "{}[]":
        text = text.replace(mark * 2, mark)
    assert shown == f"x{text}".strip()
