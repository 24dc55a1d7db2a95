"""The table at the end of `make test-faults`: fault, tests, passed, seconds, and the longest time to recover.

As a plugin of pytest (`-p tests.faults.table`) it adds a line of JSON for each test with the marker `fault` to the file
that FAULTS_TABLE names; several runs, in both environments, add to one file. `python -m tests.faults.table FILE`
prints the table. A test that measures how long it took until everything worked again calls
`record_property("recovered", seconds)`.
"""

from __future__ import annotations

import json
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

FILE = "FAULTS_TABLE"
_seconds: defaultdict[str, float] = defaultdict(float)
_outcomes: dict[str, str] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the reports of a test know its faults."""
    for item in items:
        for mark in item.iter_markers("fault"):
            item.user_properties += [("fault", number) for number in mark.args]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add up set-up, test and tear-down; the worst of them is the outcome."""
    _seconds[report.nodeid] += report.duration
    if _outcomes.get(report.nodeid) in {None, "passed"}:
        _outcomes[report.nodeid] = report.outcome
    if report.when != "teardown":
        return
    recovered = max((value for name, value in report.user_properties if name == "recovered"), default=None)
    facts = {"outcome": _outcomes[report.nodeid], "seconds": _seconds[report.nodeid], "recovered": recovered}
    with Path(os.environ[FILE]).open("a", encoding="utf-8") as file:
        for name, number in report.user_properties:
            if name == "fault":
                file.write(json.dumps({"fault": number, **facts}) + "\n")


def format_table(lines: list[dict[str, Any]]) -> str:
    """One row for each fault, in order."""
    rows = ["fault   tests  passed  skipped  seconds  recovered after"]
    for number in sorted({line["fault"] for line in lines}, key=lambda name: int(name[1:])):
        mine = [line for line in lines if line["fault"] == number]
        counts = [len(mine), *(sum(line["outcome"] == outcome for line in mine) for outcome in ("passed", "skipped"))]
        recovered = [line["recovered"] for line in mine if line["recovered"] is not None]
        longest = f"{max(recovered):.1f} s" if recovered else ""
        seconds = sum(line["seconds"] for line in mine)
        rows.append(f"{number:<6}{counts[0]:>7}{counts[1]:>8}{counts[2]:>9}{seconds:>9.0f}  {longest}".rstrip())
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    text = Path(sys.argv[1]).read_text(encoding="utf-8")
    sys.stdout.write(format_table([json.loads(line) for line in text.splitlines()]))
