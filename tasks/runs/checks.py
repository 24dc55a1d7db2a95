"""The end of a validation: the report is stored before an error is raised."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from tasks.errors import ValidationFailed
from tasks.quality import Check, Profile, Report
from tasks.store import Artefact, Store, open_records, write_artefact
from tasks.store.layout import run_key

logger = logging.getLogger(__name__)


def read_last(dataset: str, suite: str) -> dict[str, Profile]:
    """The profiles that the check recorded in the run of what is served, by subject; none before a first release."""
    with open_records() as history:
        champion = history.champion(dataset)
        rows = history.profiles(champion.run, suite) if champion else []
    return {row["subject"]: Profile.model_validate(row) for row in rows}


def conclude(store: Store, run: str, report: Report, inputs: Sequence[Artefact]) -> dict[str, object]:
    """Write the report to the run's artefacts and the metrics history; raises ValidationFailed if a check failed."""
    prefix, evidence = run_key(run, report.suite), report.model_dump()
    with write_artefact(store, prefix, inputs=inputs) as out:
        out.json("report.json", {name: part for name, part in evidence.items() if name != "profiles"})
        out.json("profiles.json", evidence["profiles"])
        out.counts = {"expectations": len(report.results), "failed": len(report.failures)}
        out.counts["warnings"] = len(report.warnings)
    with open_records() as history:
        for artefact in inputs:  # also those of steps that have no database
            history.record_counts(run, step_of(run, artefact), artefact.manifest.counts)
        history.record_validation(run, evidence)
        if not report.success:
            history.finish_run(run, "failed")
    for check in sorted(report.results, key=_level):  # what failed comes last
        logger.log(
            _level(check),
            "%s of %s: expected %s, observed %s (%d of %d unexpected)%s",
            check.expectation,
            check.column,
            check.expected,
            check.observed,
            check.unexpected_count,
            check.element_count,
            f": {', '.join(check.sample_ids)}" if check.sample_ids else "",
        )
    if not report.success:
        raise ValidationFailed(report.sentence())
    logger.log(logging.WARNING if report.warnings else logging.INFO, "%s", report.sentence())
    return {"checked": prefix, "expectations": len(report.results), "failed": 0, "warnings": len(report.warnings)}


def step_of(run: str, artefact: Artefact) -> str:
    """The step of a run that made an artefact; what is not of the run is the log."""
    own = run_key(run, "")
    return artefact.prefix.removeprefix(own) if artefact.prefix.startswith(own) else "log"


def _level(check: Check) -> int:
    """How loudly the log says a result."""
    if check.success:
        return logging.INFO
    return logging.ERROR if check.severity == "critical" else logging.WARNING
