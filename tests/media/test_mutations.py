"""Damaged files: decoded as another decoder does, or refused with a reason; `make fuzz` tries many more."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.media import BadMedia
from tests.media.mutations import COUNT, SEED, Kind, damaged_file, kinds, outcome, run


@pytest.mark.parametrize("name", kinds())
def test_a_damaged_file_is_read_or_refused(name: str) -> None:
    """No other exception, no address in a reason, and never half of a sound that another decoder finds whole."""
    counts, wrong = run(name, SEED, COUNT)
    assert wrong == []
    assert counts.total() == COUNT


@pytest.mark.parametrize("name", kinds())
def test_a_whole_file_is_read(name: str) -> None:
    """What is damaged was right before."""
    kind = kinds()[name]
    for seed in range(6):
        assert outcome(kind, kind.make(np.random.default_rng(seed))) == ("read", "")


def test_a_case_can_be_made_again() -> None:
    """By its kind, seed and number; another number is another file."""
    once, again, other = (damaged_file("wav", 3, number) for number in (7, 7, 8))
    assert once == again != other


def refuse(reason: str) -> None:
    """As a decoder does."""
    raise BadMedia(reason)


@pytest.mark.parametrize(
    ("decode", "said"),
    [
        (lambda _: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda _: refuse("damaged (<_io.BytesIO object at 0x7fbc129d5cb0>)"), "damaged"),
        (lambda _: refuse("two\nlines"), "two"),
        (lambda _: None, "half"),
    ],
)
def test_what_is_wrong_is_found(decode: object, said: str) -> None:
    """An exception, a reason that is another each night, one of two lines, and a result that another decoder doubts."""
    kind = Kind(lambda _: b"", decode, lambda _data, _result: "half")  # type: ignore[arg-type]
    what, reason = outcome(kind, b"")
    assert what == "wrong"
    assert reason.startswith(said)
