"""Great Expectations on small tables: rules in, report out.

Great Expectations does not read the embeddings themselves (a thousand columns take half a minute): NumPy reduces them
to tables with one row per item or one row of facts, and the rules apply to these. Its gaps are closed here: a table
without rows, a rule without a result, an exception and a suite without rules all fail, and a table with missing values,
which most expectations silently ignore, is refused.
"""

from __future__ import annotations

import importlib
import logging
import math
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pandas as pd

from tasks.errors import one_line
from tasks.quality.deferred import deferred
from tasks.quality.report import SAMPLE, Check, Report, Severity

if TYPE_CHECKING:
    from great_expectations.core.batch_definition import BatchDefinition
    from great_expectations.core.expectation_validation_result import ExpectationValidationResult
    from great_expectations.data_context.data_context.abstract_data_context import AbstractDataContext

ID = "id"  # the column of a table that holds external ids


@dataclass(frozen=True)
class Evidence:
    """Evidence for a number in a table of facts, of which Great Expectations itself sees only one row.

    unexpected: the number of `elements` that fail; None: one, if the rule fails. sample: ids of such elements.
    """

    observed: str
    unexpected: int | None = None
    elements: int = 1
    sample: Sequence[str] = ()


@dataclass(frozen=True)
class Rule:
    """One expectation on one table, and its description.

    type: class in great_expectations.expectations. arguments: those of that class. evidence: given if the table's
    row is a fact about many elements. severity: whether the run stops when it fails.
    """

    name: str
    column: str
    expected: str
    type: str
    arguments: Mapping[str, object]
    evidence: Evidence | None = None
    severity: Severity = "critical"


@dataclass(frozen=True)
class Table:
    """A small table and its rules; rows are named by its column `id`, if it has one."""

    name: str
    frame: pd.DataFrame
    rules: Sequence[Rule] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        holes = [str(column) for column in self.frame.columns if self.frame[column].isna().any()]
        if holes:
            raise ValueError(
                f"table {self.name} holds missing values in {holes}, expected none: expectations would ignore them"
            )


def all_true(
    name: str,
    column: str,
    expected: str,
    flags: str,
    *,
    mostly: float = 1.0,
    evidence: Evidence | None = None,
    severity: Severity = "critical",
) -> Rule:
    """Expect True in every row of the column `flags`, or in the share `mostly` of them."""
    arguments = {"column": flags, "value_set": [True], "mostly": mostly}
    return Rule(name, column, expected, "ExpectColumnValuesToBeInSet", arguments, evidence, severity)


def unique(name: str, column: str, expected: str, values: str) -> Rule:
    """Expect unique values in the column `values`."""
    return Rule(name, column, expected, "ExpectColumnValuesToBeUnique", {"column": values})


def at_least(
    name: str,
    column: str,
    expected: str,
    value: str,
    least: float,
    *,
    evidence: Evidence,
    severity: Severity = "critical",
) -> Rule:
    """Expect the value of column `value` of a table of facts to be at least `least`."""
    arguments = {"column": value, "min_value": least}
    return Rule(name, column, expected, "ExpectColumnValuesToBeBetween", arguments, evidence, severity)


def at_most(
    name: str,
    column: str,
    expected: str,
    value: str,
    most: float,
    *,
    evidence: Evidence,
    severity: Severity = "critical",
) -> Rule:
    """Expect the value of column `value` of a table of facts to be at most `most`."""
    arguments = {"column": value, "max_value": most}
    return Rule(name, column, expected, "ExpectColumnValuesToBeBetween", arguments, evidence, severity)


def equal(name: str, column: str, expected: str, values: tuple[str, str], frame: pd.DataFrame) -> Rule:
    """Expect equal numbers in two columns of a table of facts."""
    left, right = (int(frame[value].iloc[0]) for value in values)
    evidence = Evidence(f"{left} and {right}", abs(left - right), max(left, right, 1))
    arguments = {"column_A": values[0], "column_B": values[1]}
    return Rule(name, column, expected, "ExpectColumnPairValuesToBeEqual", arguments, evidence)


def columns_exist(name: str, frame: pd.DataFrame, expected: Sequence[str]) -> Table:
    """Return a table with only the column names of `frame`, which expects those in `expected`."""
    rules = [
        Rule("column_exists", name, f"a column {column}", "ExpectColumnToExist", {"column": column})
        for column in expected
    ]
    return Table(name, pd.DataFrame({column: [True] for column in frame.columns}, index=[0]), rules)


def succeeds(results: Sequence[Check]) -> bool:
    """Whether every critical one of the results holds."""
    return all(check.success for check in results if check.severity == "critical")


def validate(suite: str, tables: Sequence[Table]) -> Report:
    """Evaluate every rule of every table; each table is also expected to have rows."""
    gx = _great_expectations()
    tables_of = _context(gx).data_sources.add_pandas("tables").add_dataframe_asset("table")
    whole = tables_of.add_batch_definition_whole_dataframe("whole")  # one for all: each costs a tenth of a second
    results = [check for table in tables for check in _validate_table(gx, whole, table)]
    return Report(suite=suite, success=succeeds(results), results=results)


def _great_expectations() -> ModuleType:
    """Import the library when first needed, because it takes seconds."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    logging.getLogger("great_expectations").setLevel(logging.WARNING)  # it logs internals at INFO
    with warnings.catch_warnings():
        # Its data connectors import two modules of the standard library that are deprecated in Python 3.11.
        warnings.filterwarnings(
            "ignore", message="module 'sre_(constants|parse)' is deprecated", category=DeprecationWarning
        )
        with deferred("scipy.stats", "altair"):  # two fifths of its import; no rule here uses them
            import great_expectations  # noqa: PLC0415  every command would pay for it
    return great_expectations


def _context(gx: ModuleType) -> AbstractDataContext:
    """Return a context in memory, without progress bars and without a temporary folder for documentation."""
    base = importlib.import_module("great_expectations.data_context.types.base")
    defaults = base.InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
    config = base.DataContextConfig(
        store_backend_defaults=defaults, analytics_enabled=False, progress_bars=base.ProgressBarsConfig(globally=False)
    )
    context: AbstractDataContext = gx.get_context(project_config=config, mode="ephemeral")
    return context


def _validate_table(gx: ModuleType, whole: BatchDefinition[Any], table: Table) -> list[Check]:
    evidence = Evidence(f"{len(table.frame)} rows")
    some = Rule(
        "table_has_rows", table.name, "at least one row", "ExpectTableRowCountToBeBetween", {"min_value": 1}, evidence
    )
    rules = [some, *table.rules]
    expectations = [
        getattr(gx.expectations, rule.type)(**rule.arguments, severity=rule.severity, meta={"rule": number})
        for number, rule in enumerate(rules)
    ]
    result_format = {"result_format": "SUMMARY", "partial_unexpected_count": SAMPLE}
    if ID in table.frame.columns:
        result_format["unexpected_index_column_names"] = [ID]
    batch = whole.get_batch({"dataframe": table.frame})
    outcome = batch.validate(gx.ExpectationSuite(table.name, expectations=expectations), result_format=result_format)
    # Results have another order, those with exceptions first.
    results = {result.expectation_config.meta["rule"]: result for result in outcome.results}
    return [_check(rule, results.get(number), _bounded(rule, table.frame)) for number, rule in enumerate(rules)]


def _bounded(rule: Rule, facts: pd.DataFrame) -> float | None:
    """The number of a table of facts that a rule has bounds for, so that it can be followed from run to run."""
    column = rule.arguments.get("column")
    if rule.type != "ExpectColumnValuesToBeBetween" or len(facts) != 1 or column not in facts:
        return None
    value = float(facts[column].iloc[0])
    return value if math.isfinite(value) else None


def _check(rule: Rule, result: ExpectationValidationResult | None, value: float | None = None) -> Check:
    success = result is not None and bool(result.success)
    evidence = _evidence(rule, result, success=success)
    unexpected = int(not success) if evidence.unexpected is None else evidence.unexpected
    return Check(
        expectation=rule.name,
        column=rule.column,
        expected=rule.expected,
        observed=evidence.observed,
        unexpected_count=unexpected,
        element_count=evidence.elements,
        sample_ids=[] if success else list(evidence.sample)[:SAMPLE],
        success=success,
        severity=rule.severity,
        type=rule.type,
        arguments=rule.arguments,
        value=value,
    )


def _evidence(rule: Rule, result: ExpectationValidationResult | None, *, success: bool) -> Evidence:
    """Return the observation: an exception, the evidence of the rule, or the unexpected rows."""
    if result is None:
        return Evidence("no result: it was not evaluated")
    exception = _exception(result.exception_info)
    if exception is not None:
        return Evidence(f"it could not be evaluated: {exception}")
    details = result.result
    if rule.evidence is not None:
        return rule.evidence
    if details.get("element_count") is None:
        return Evidence("as expected" if success else "otherwise")
    unexpected, elements = int(details["unexpected_count"]), int(details["element_count"])
    rows = details.get("partial_unexpected_index_list") or []
    return Evidence(f"{unexpected} of {elements} otherwise", unexpected, elements, [str(row[ID]) for row in rows])


def _exception(info: Mapping[str, Any] | None) -> str | None:
    """Return the message of the first exception, which may be nested under the metric that raised it."""
    for entry in (info, *(info or {}).values()):
        if isinstance(entry, Mapping) and entry.get("raised_exception"):
            return one_line(entry.get("exception_message"))
    return None
