"""Progress on standard output."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from tasks.progress import progress


@pytest.mark.parametrize(
    "nothing", [lambda: progress([], label="films"), lambda: progress(iter(()), label="films", total=0)]
)
def test_of_nothing_no_progress_is_shown(
    nothing: Callable[[], Iterable[object]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether the length is told or known."""
    assert list(nothing()) == []
    assert capsys.readouterr() == ("", "")


def test_of_something_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """By its label, with every element."""
    assert list(progress(iter("ab"), label="films", total=2)) == ["a", "b"]
    assert "films: 100%" in capsys.readouterr().out
