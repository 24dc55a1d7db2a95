"""What a sentence of ours takes from others."""

from __future__ import annotations

import re
from typing import Self

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from tasks.errors import describe_invalid, one_line


class Settings(BaseModel):
    """Any configuration."""

    model_config = ConfigDict(extra="forbid")
    size: int = 1
    depth: int = 1

    @model_validator(mode="after")
    def is_possible(self) -> Self:
        """A rule of ours."""
        if self.depth > self.size:
            raise ValueError(f"depth {self.depth} found, expected at most size")
        return self


def test_what_a_library_says_is_one_line_and_short() -> None:
    """However it was laid out."""
    assert one_line(ValueError("a\n  b\t c")) == "a b c"
    assert one_line("x" * 400) == "x" * 300
    assert one_line("a b c", 3) == "a b"


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"width": 2}, "unknown setting width, expected some of depth, size"),
        ({"size": "big"}, "size: Input should be a valid integer, .*, found 'big'"),
        ({"depth": 2}, "^depth 2 found, expected at most size$"),
        ({"width": 2, "size": "big"}, "found 'big'; unknown setting width"),
    ],
)
def test_every_wrong_value_is_named_with_what_was_expected(values: dict[str, object], sentence: str) -> None:
    """Unknown keys beside the known ones; sentences of ours as they are."""
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(values)
    assert re.search(sentence, describe_invalid(caught.value, Settings.model_fields, "setting"))
