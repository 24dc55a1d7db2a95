"""Each of F1 to F23 is done by tests that carry its number, or is named with the reason why not."""

from __future__ import annotations

import re
from pathlib import Path

from tests.faults.numbers import NUMBERS, UNTESTED
from tests.faults.table import format_table

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "docs" / "faults.md"


def test_every_number_has_a_test_or_a_reason() -> None:
    """By the marker `fault`, so that `make test-faults` runs it."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py"))
    marked = {number for marks in re.findall(r"mark\.fault\(([^)]*)\)", text) for number in re.findall(r"F\d+", marks)}
    marked |= {"F6", "F7", "F8"}  # the corpus, each with its own
    assert sorted(marked | set(UNTESTED), key=NUMBERS.index) == NUMBERS
    assert marked.isdisjoint(UNTESTED)


def test_the_page_says_what_happens_at_each() -> None:
    """One row for each number; of those without a test, why."""
    page = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (F\d+) \|(.*)$", page, flags=re.MULTILINE)
    assert [number for number, _ in rows] == NUMBERS
    for number, reason in UNTESTED.items():
        assert reason in dict(rows)[number]


def test_the_table_counts_what_ran() -> None:
    """A fault of several tests has the sum of their seconds and the longest time to recover."""
    ran = {"fault": "F9", "outcome": "passed", "seconds": 3.0, "recovered": 2.5}
    lines = [{**ran, "fault": "F12", "outcome": "failed", "recovered": None}, ran, ran | {"recovered": 7.25}]
    assert format_table(lines).splitlines()[1:] == [
        "F9          2       2        0        6  7.2 s",
        "F12         1       0        0        3",
    ]
