"""Texts that are written from item records: `{title}[ ({year})][. Genres: {genres}]`.

A field stands in braces. What is in square brackets is left out for an item that lacks one of its fields; an item that
lacks a field outside of brackets has no text. Entries of a list are joined by commas. Double a brace or a bracket to
write it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tasks.errors import BadInput

TOKEN = re.compile(r"\{\{|\}\}|\[\[|\]\]|\{(?P<field>[^{}\[\]]*)\}|(?P<bracket>[\[\]])|(?P<brace>[{}])|[^{}\[\]]+")
Piece = tuple[str, bool]  # a text as it is, or a field (True)


@dataclass(frozen=True)
class Template:
    """Parts in order; each is pieces, and whether it may be left out."""

    parts: tuple[tuple[tuple[Piece, ...], bool], ...]

    @property
    def fields(self) -> list[str]:
        """Names of the fields, each once, in order."""
        return list(dict.fromkeys(text for pieces, _ in self.parts for text, is_field in pieces if is_field))

    def write(self, record: Mapping[str, Any]) -> str | None:
        """The text of an item, without space at its ends; None if it lacks a field, or nothing is left."""
        text = ""
        for pieces, optional in self.parts:
            written = [_write(record.get(piece)) if is_field else piece for piece, is_field in pieces]
            if all(part is not None for part in written):
                text += "".join(str(part) for part in written)
            elif not optional:
                return None
        return text.strip() or None


def parse_template(text: str) -> Template:
    """The template that is written `text`; BadInput for one that is none, or has no field."""
    parts: list[tuple[tuple[Piece, ...], bool]] = []
    pieces: list[Piece] = []
    inside = False

    def end() -> None:
        if pieces:
            parts.append((tuple(pieces), inside))
            pieces.clear()

    for match in _tokens(text):
        bracket, field = match["bracket"], match["field"]
        if bracket is not None:
            if (bracket == "[") == inside:
                raise BadInput(f"template {text!r}: {bracket!r} found, expected brackets in pairs and none in another")
            end()
            inside = bracket == "["
        elif field is not None:
            if not field.isidentifier():  # as `field_name` of the records makes them
                raise BadInput(f"template {text!r}: field {field!r} found, expected the name of one, as in {{title}}")
            pieces.append((field, True))
        else:
            pieces.append((match[0][0] if match[0] in {"{{", "}}", "[[", "]]"} else match[0], False))
    if inside:
        raise BadInput(f"template {text!r}: '[' found that does not end, expected ']'")
    end()
    template = Template(tuple(parts))
    if not template.fields:
        raise BadInput(f"template {text!r} found, expected at least one field, as in {{title}}")
    return template


def _tokens(text: str) -> Iterator[re.Match[str]]:
    for match in TOKEN.finditer(text):
        if match["brace"] is not None:
            raise BadInput(f"template {text!r}: {match[0]!r} alone found, expected a field in braces, or it doubled")
        yield match


def _write(value: object) -> str | None:
    if value is None or value in ([], ""):
        return None
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)  # 1995, and not 1995.0
