"""Great Expectations behind our rules: its holes are closed, its noise is silenced."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from tasks.quality.report import Check, Report
from tasks.quality.suite import ID, Evidence, Rule, Table, all_true, at_least, equal, unique, validate

ROOT = Path(__file__).resolve().parents[2]
FLAGS = pd.DataFrame(
    {ID: [f"item-{number}" for number in range(30)], "good": [number % 2 == 0 for number in range(30)]}
)


@pytest.mark.fault("F8")
def test_an_empty_table_fails() -> None:
    """Rules about rows hold of no rows at all; that there are rows is therefore a rule of every table."""
    report = validate("suite", [Table("items", FLAGS.iloc[:0], [all_true("is_good", "items", "all good", "good")])])
    assert not report.success
    assert [check.expectation for check in report.failures] == ["table_has_rows"]


@pytest.mark.fault("F8")
def test_an_empty_suite_is_no_report() -> None:
    """A suite that checks nothing does not pass."""
    with pytest.raises(ValidationError, match="results"):
        validate("suite", [])


@pytest.mark.fault("F7")
def test_missing_values_are_refused() -> None:
    """Great Expectations passes over NaN; a table that holds any is refused before it gets there."""
    with pytest.raises(ValueError, match=r"table items holds missing values in \['norm'\]"):
        Table("items", pd.DataFrame({"norm": [1.0, np.nan]}))


def test_an_exception_fails_and_says_what_it_was() -> None:
    """A rule about a column that is not there fails with the message, beside rules that hold."""
    rules = [all_true("is_good", "items", "all good", "god"), unique("ids_are_unique", "items", "each id once", ID)]
    report = validate("suite", [Table("items", FLAGS, rules)])
    (check,) = report.failures
    assert check.expectation == "is_good"
    assert 'column "god" in BatchData does not exist' in check.observed


def test_results_keep_the_order_of_the_rules() -> None:
    """Great Expectations reports exceptions first; the report follows the rules."""
    rules = [
        unique("first", "items", "each id once", ID),
        all_true("second", "items", "all good", "god"),
        all_true("third", "items", "all good", "good"),
    ]
    report = validate("suite", [Table("items", FLAGS, rules)])
    assert [check.expectation for check in report.results] == ["table_has_rows", "first", "second", "third"]


def test_the_first_ten_of_many_are_named() -> None:
    """Fifteen bad rows are counted, ten of them named, in the order of the table."""
    report = validate("suite", [Table("items", FLAGS, [all_true("is_good", "items", "all good", "good")])])
    (check,) = report.failures
    assert (check.unexpected_count, check.element_count) == (15, 30)
    assert check.sample_ids == [f"item-{number}" for number in range(1, 20, 2)]
    assert check.observed == "15 of 30 otherwise"


@pytest.mark.parametrize(("mostly", "success"), [(0.5, True), (0.51, False)])
def test_mostly_is_inclusive(mostly: float, success: bool) -> None:
    """Half of the rows are enough where half are asked for."""
    rule = all_true("is_good", "items", "half good", "good", mostly=mostly)
    assert validate("suite", [Table("items", FLAGS, [rule])]).success is success


def test_facts_come_with_their_evidence() -> None:
    """A number in a table of facts is judged as a number and reported with what stands behind it."""
    facts = pd.DataFrame({"share": 0.5, "left": 3, "right": 4}, index=[0])
    evidence = Evidence("half", 50, 100, [f"item-{number}" for number in range(12)])
    rules = [
        at_least("covered", "log", "at least 0.6", "share", 0.6, evidence=evidence),
        at_least("covered a little", "log", "at least 0.5", "share", 0.5, evidence=evidence),
        equal("same", "rows", "the same", ("left", "right"), facts),
    ]
    report = validate("suite", [Table("facts", facts, rules)])
    covered, same = report.failures
    assert (covered.observed, covered.unexpected_count, covered.element_count) == ("half", 50, 100)
    assert covered.sample_ids == [f"item-{number}" for number in range(10)]
    assert (same.observed, same.unexpected_count) == ("3 and 4", 1)
    numbers = {check.expectation: check.value for check in report.results}
    assert numbers == {"table_has_rows": None, "covered": 0.5, "covered a little": 0.5, "same": None}


def test_a_report_cannot_claim_what_its_results_deny() -> None:
    """A report is successful if and only if all its results are."""
    bad = Check(
        expectation="x",
        column="y",
        expected="a",
        observed="b",
        unexpected_count=1,
        element_count=1,
        sample_ids=[],
        success=False,
        type="ExpectColumnValuesToBeInSet",
        arguments={},
    )
    with pytest.raises(ValidationError, match="success True found"):
        Report(suite="suite", success=True, results=[bad])


def test_a_warning_informs_and_does_not_stop() -> None:
    """A report whose only unmet expectation is a warning succeeds, and its sentence names the warning."""
    rules = [
        unique("ids_are_unique", "items", "each id once", ID),
        all_true("is_good", "items", "all good", "good", severity="warning"),
    ]
    report = validate("suite", [Table("items", FLAGS, rules)])
    assert report.success
    assert (report.failures, [check.expectation for check in report.warnings]) == ([], ["is_good"])
    assert report.sentence() == "suite: 2 of 3 expectations hold, with a warning from is_good of items"


def test_a_result_says_how_it_was_found() -> None:
    """The class of Great Expectations and what it was given stand beside each result, as JSON."""
    rule = all_true("is_good", "items", "half good", "good", mostly=0.5)
    report = validate("suite", [Table("items", FLAGS, [rule])])
    check = Report.model_validate_json(report.model_dump_json()).results[1]
    assert check.type == "ExpectColumnValuesToBeInSet"
    assert check.arguments == {"column": "good", "value_set": [True], "mostly": 0.5}
    assert check.severity == "critical"


def test_an_unknown_expectation_is_an_error() -> None:
    """A misspelt rule does not pass for one that holds."""
    with pytest.raises(AttributeError, match="ExpectMiracle"):
        validate("suite", [Table("items", FLAGS, [Rule("x", "items", "a miracle", "ExpectMiracle", {})])])


@pytest.mark.slow
def test_the_library_is_loaded_late_and_says_nothing() -> None:
    """Importing the suites does not import Great Expectations; running one prints nothing and opens no connection."""
    program = """
import socket, sys, warnings
warnings.simplefilter("error")
import tasks.quality
assert "great_expectations" not in sys.modules
def refuse(*args, **kwargs):
    raise AssertionError("a connection was opened")
socket.socket.connect = refuse
import logging; logging.basicConfig(level="INFO")
import pandas as pd
from tasks.quality.suite import Table, validate
assert validate("suite", [Table("items", pd.DataFrame({"a": [1]}))]).success
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
