"""The id-space rule: it catches renumbered logs and lets sound catalogues pass."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.quality.id_spaces import compare_id_spaces, looks_thinned


def ids(numbers: Iterable[int | str]) -> np.ndarray:
    """Ids as they come: words."""
    return np.array([str(number) for number in numbers], dtype=str)


@st.composite
def raw_catalogues(draw: st.DrawFn) -> list[int]:
    """At least 60 raw ids that leave a twentieth or more of their range unused, the gaps spread over all of it."""
    every = draw(st.integers(2, 20))
    size = draw(st.integers(max(60, 8 * every), 600))
    start, gap = draw(st.integers(1, 50)), draw(st.integers(0, every - 1))
    return [number for number in range(start, start + size) if number % every != gap]


@given(raw=raw_catalogues(), first=st.sampled_from([0, 1]))
def test_a_renumbered_log_is_caught(raw: list[int], first: int) -> None:
    """A log renumbered from 0 or from 1 against features keyed by raw ids with gaps fails."""
    assert not compare_id_spaces(ids(range(first, first + len(raw))), ids(raw)).agree


@given(raw=raw_catalogues(), first=st.sampled_from([0, 1]))
def test_features_keyed_by_row_number_are_caught(raw: list[int], first: int) -> None:
    """The other way round: a raw log against features keyed by the number of their row fails too."""
    assert not compare_id_spaces(ids(raw), ids(range(first, first + len(raw)))).agree


@given(raw=raw_catalogues(), data=st.data())
def test_raw_ids_on_both_sides_pass(raw: list[int], data: st.DataObject) -> None:
    """Any part of a raw catalogue may be clicked and any part may have media, as long as neither part is gapless."""
    logged = data.draw(st.sets(st.sampled_from(raw), min_size=1))
    known = data.draw(st.sets(st.sampled_from(raw), min_size=1))
    gapless = any(sorted(side) in (list(range(len(side))), list(range(1, len(side) + 1))) for side in (logged, known))
    assert gapless or compare_id_spaces(ids(logged), ids(known)).agree


@given(size=st.integers(1, 300), first=st.sampled_from([0, 1]), new=st.integers(0, 300))
def test_numbered_catalogues_with_new_items_pass(size: int, first: int, new: int) -> None:
    """Log and features both number from 0 (or 1): items without clicks, however many, are no fault."""
    logged, known = range(first, first + size), range(first, first + size + new)
    assert compare_id_spaces(ids(logged), ids(known)).agree


@given(size=st.integers(1, 300), data=st.data())
def test_numbered_catalogues_with_missing_media_pass(size: int, data: st.DataObject) -> None:
    """Log and features both number from 0: items without media, however many, are left to the coverage limits."""
    known = data.draw(st.sets(st.integers(0, size - 1)))
    assert compare_id_spaces(ids(range(size)), ids(known)).agree


@given(size=st.integers(30, 300), new=st.integers(0, 5), data=st.data())
def test_numbered_catalogues_with_a_little_of_both_pass(size: int, new: int, data: st.DataObject) -> None:
    """Five new items without clicks and five old ones without media, at once, are an ordinary night."""
    without = data.draw(st.sets(st.integers(1, size - 1), max_size=5))
    known = set(range(size + new)) - without
    assert compare_id_spaces(ids(range(size)), ids(known)).agree


def test_names_pass() -> None:
    """Ids that are no numbers, even numbered names, are no renumbering."""
    names = [f"film-{number:04d}" for number in range(300)]
    assert compare_id_spaces(ids(names[:280]), ids(names[20:])).agree
    padded = [f"{number:04d}" for number in range(300)]
    assert compare_id_spaces(ids(padded[:200]), ids(padded[100:])).agree


@pytest.mark.parametrize("shift", [-1, 1])
def test_off_by_one_is_caught(shift: int) -> None:
    """Features numbered from 1 and a log numbered from 0, or the reverse: all but one join, all of them wrongly."""
    logged = range(max(0, -shift), 300 + max(0, -shift))
    known = range(max(0, shift), 300 + max(0, shift))
    spaces = compare_id_spaces(ids(logged), ids(known))
    assert not spaces.agree
    assert "299 in both (99.7% of the logged), 1 only logged, 1 only with features" in spaces.words


def test_names_against_row_numbers_are_caught() -> None:
    """A log of names and features keyed by row number have nothing in common."""
    names = ids(f"film-{number:04d}" for number in range(50))
    assert not compare_id_spaces(names, ids(range(50))).agree
    assert not compare_id_spaces(ids(range(50)), names).agree


def test_the_published_case_is_caught_with_its_arithmetic() -> None:
    """A log 0..2979 against 3,095 of the ids 2..3951 with 2,341 in both: 78.6 % covered, as chance would have it."""
    rng = np.random.default_rng(0)
    below, above = np.arange(3, 2980), np.arange(2980, 3951)
    known = [2, 3951, *rng.choice(below, 2340, replace=False), *rng.choice(above, 753, replace=False)]
    spaces = compare_id_spaces(ids(range(2980)), ids(known))
    assert not spaces.agree
    assert spaces.words == (
        "logged ids 0..2979 without a gap (2980), ids with features 2..3951 78.4% in use (3095); "
        "2341 in both (78.6% of the logged), 639 only logged, 754 only with features"
    )
    assert spaces.unmatched[:2] == ["0", "1"]


@pytest.mark.parametrize("shift", [-1, 1])
def test_off_by_one_is_caught_with_a_number_missing(shift: int) -> None:
    """No side is gapless, but both ends of the one are a step from those of the other."""
    logged = set(range(max(0, -shift), 300 + max(0, -shift))) - {200}
    known = set(range(max(0, shift), 300 + max(0, shift))) - {100, 150}
    assert not compare_id_spaces(ids(logged), ids(known)).agree


def test_an_item_without_clicks_at_one_end_is_no_shift() -> None:
    """The first was never taken, a later one has no media, and both have the same last one."""
    assert compare_id_spaces(ids(set(range(1, 300)) - {200}), ids(set(range(300)) - {100})).agree


def test_a_thinned_numbering_is_seen_and_no_fault_by_itself() -> None:
    """What is left are the known ids below a number; the ids of sound joins with gaps are spread over all."""
    known = [number for number in range(2, 900) if number % 3]
    below, spread = [number for number in known if number < 600], known[:500:2] + known[500:]
    assert looks_thinned(ids(below), ids(known))
    assert compare_id_spaces(ids(below), ids(known)).agree
    assert not looks_thinned(ids(spread), ids(known))
    assert not looks_thinned(ids(range(600)), ids(known))  # which is not thinned, and no id space of theirs
    assert not looks_thinned(ids(known[:-5]), ids(known))
    assert not looks_thinned(ids(f"film-{number}" for number in below), ids(f"film-{number}" for number in known))
