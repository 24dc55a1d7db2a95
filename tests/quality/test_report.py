"""The closing sentence of a validation names the failure that explains the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.quality import report as module
from tasks.quality.drift import LIMITS
from tasks.quality.report import CAUSES, Check, Report, Severity


def check(expectation: str, severity: Severity = "critical", *, success: bool = False) -> Check:
    """A result that holds or fails."""
    return Check(
        expectation=expectation,
        column="items",
        expected="this",
        observed="that",
        unexpected_count=0,
        element_count=1,
        sample_ids=[],
        success=success,
        severity=severity,
        type="ExpectColumnValuesToBeInSet",
        arguments={},
    )


@pytest.mark.parametrize(
    ("names", "first"),
    [
        (["interactions_are_covered", "id_spaces_agree"], "id_spaces_agree"),
        (["id_spaces_agree", "content_agrees_with_behaviour"], "content_agrees_with_behaviour"),
        (["vectors_are_finite", "interactions_are_covered"], "vectors_are_finite"),
    ],
)
def test_a_cause_is_named_before_its_consequences(names: list[str], first: str) -> None:
    """Whatever comes first in the suite; what is no cause keeps the order of the suite."""
    sentence = Report(suite="s", success=False, results=[check(name) for name in names]).sentence()
    assert sentence.startswith(f"s: 2 of 2 expectations failed, first {first} of items: expected this")


def test_what_stops_the_run_is_named_before_a_warning() -> None:
    """Even if the warning is a cause."""
    results = [check("content_tells_behaviour", "warning"), check("interactions_are_covered")]
    assert "first interactions_are_covered" in Report(suite="s", success=False, results=results).sentence()


def test_every_cause_is_an_expectation() -> None:
    """A name that no suite has would order nothing."""
    folder = Path(module.__file__).parent
    code = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py") if path.name != "report.py")
    written = {name for name in CAUSES if f'"{name}"' in code} | {f"drift_{name}" for name in LIMITS}
    assert [name for name in CAUSES if name not in written] == []
    assert len(set(CAUSES)) == len(CAUSES)
