"""Ids that are written in two ways are named with both ways; ids that are others are not."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.data import Interactions
from tasks.quality.suite import validate
from tasks.quality.writings import PREFIX, WAYS, find_writing, writing_table

IDS = np.arange(1, 101).astype(str)
ACCENTS = np.array([f"caf\u00e9 {one}" for one in range(100)])


@pytest.mark.parametrize(
    ("logged", "known", "way", "example"),
    [
        (np.char.add(IDS, ".0"), IDS, "a decimal point", "'1.0' where the features write '1'"),
        (IDS, np.char.add(IDS, ".0"), "a decimal point", "'1' where the features write '1.0'"),
        (IDS, np.char.zfill(IDS, 6), "zeros in front", "'1' where the features write '000001'"),
        (np.char.add("item_", IDS), IDS, PREFIX, "'item_1' where the features write '1'"),
        (IDS, np.char.add("item_", np.char.zfill(IDS, 4)), PREFIX, "'1' where the features write 'item_0001'"),
        (np.char.add("Film-", IDS), np.char.add("film-", IDS), "upper", "'Film-1' where the features write 'film-1'"),
        (
            np.char.add(IDS, "-A"),
            np.char.add(IDS, "-a"),
            "upper and lower case",
            "'1-A' where the features write '1-a'",
        ),
        (
            np.array([unicodedata.normalize("NFD", one) for one in ACCENTS.tolist()]),
            ACCENTS,
            "accents as one character or two (Unicode NFC, NFD)",
            "caf",
        ),
        (np.char.add(IDS, " b"), np.char.add(IDS, "\u00a0b"), "blanks", "'1 b' where the features write '1\\xa0b'"),
    ],
)
def test_both_ways_are_named_with_an_example(logged: np.ndarray, known: np.ndarray, way: str, example: str) -> None:
    """Whichever side writes which."""
    writing = find_writing(logged, known)
    assert writing is not None
    assert writing.way.startswith(way)
    assert example in writing.words
    assert "100 logged ids without features would have them" in writing.words


def test_a_part_of_a_log_is_enough() -> None:
    """Two sources of a log, one of which wrote numbers as floats."""
    writing = find_writing(np.concatenate([IDS[:80], np.char.add(IDS[80:], ".0")]), IDS)
    assert writing is not None
    assert writing.pairs["81.0"] == "81"
    assert len(writing.pairs) == 20


@given(logged=st.sets(st.integers(0, 999), min_size=1), known=st.sets(st.integers(0, 999), min_size=1))
def test_numbers_have_one_way(logged: set[int], known: set[int]) -> None:
    """Logged items without features are nothing else."""
    assert find_writing(np.array([*map(str, logged)]), np.array([*map(str, known)])) is None


def test_ids_that_differ_by_case_alone_are_others() -> None:
    """As short ids of 62 characters do: read without case, many of them would be one."""
    letters = [chr(code) for code in (*range(65, 91), *range(97, 123))]
    ids = np.random.default_rng(0).permutation([a + b for a in letters for b in letters])
    assert find_writing(ids[:2000], ids[1500:]) is None


def test_a_few_are_left_to_the_coverage() -> None:
    """Five of a hundred are no way of writing."""
    assert find_writing(np.concatenate([IDS[:95], np.char.add(IDS[95:], ".0")]), IDS) is None


def test_kinds_with_prefixes_are_others() -> None:
    """Films and shows have numbers of their own."""
    films, shows = np.char.add("film_", IDS), np.char.add("show_", IDS)
    assert find_writing(np.concatenate([films, shows]), np.concatenate([films, np.char.add("song_", IDS)])) is None
    assert find_writing(films, shows) is None


def test_every_way_leaves_the_usual_ids_alone() -> None:
    """So what matches as it is matches in every way."""
    for key in WAYS.values():
        assert [key(one) for one in ("7", "film-0042", "b0", "10")] == ["7", "film-0042", "b0", "10"]


def test_the_rule_names_ids_and_fails() -> None:
    """It stops the run."""
    items = np.arange(100, dtype=np.int32)
    log = Interactions(np.zeros(100, np.int32), items, np.array(["u"]), np.char.add(IDS, ".0"))
    report = validate("suite", [writing_table(log, IDS)])
    (check,) = report.failures
    assert (check.expectation, check.unexpected_count, check.element_count) == ("ids_are_written_alike", 100, 100)
    assert check.sample_ids[0] == "1.0"
