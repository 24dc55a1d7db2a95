"""What was decided: the closing lines of `publish` and `promote`, and what they lack from the record in the database.

Only here it is known what they are named. What is missing is left out: an earlier version recorded less, and the
launcher `kubernetes` has no closing line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PROMOTED, REJECTED, WAITING = "promoted", "rejected", "waiting"
DECIDERS = ("promote", "publish")  # tasks; the answer of a human goes before the verdict of the gate


@dataclass(frozen=True)
class Decision:
    """The outcome of a run that came as far as `publish`; what is not known is None or empty."""

    outcome: str
    run: str | None = None
    dataset: str | None = None
    model: str | None = None
    release: str | None = None
    uri: str | None = None  # of the release in the store
    reason: str | None = None
    by: str | None = None  # the human who answered
    figures: str | None = None  # the metric that decides, its difference to the champion's and the interval
    metrics: Mapping[str, float] = field(default_factory=dict)  # of the model on validation, by name
    gate: Mapping[str, Any] = field(default_factory=dict)

    @property
    def promoted(self) -> bool:
        """Whether the run's model is served now."""
        return self.outcome == PROMOTED

    @property
    def waiting(self) -> bool:
        """Whether a human has still to answer."""
        return self.outcome == WAITING


def read_decision(report: Mapping[str, Any] | None, record: Mapping[str, Any] | None = None) -> Decision | None:
    """Return the decision by a closing line and the row of `rec.decision`, or None if neither has it.

    The row has the last word about a release whose closing line says that it waits.
    """
    gate: Mapping[str, Any] = (record or {}).get("gate") or {}
    row = {"reason": gate.get("reason")} | dict(record or {})
    known: dict[str, Any] = row | dict(report or {})
    if known.get("outcome") == WAITING:
        known |= row
    if "outcome" not in known:
        return None
    names = ("outcome", "run", "dataset", "model", "release", "uri", "reason", "by", "figures")
    metrics = {name: value for name, value in known.items() if name.startswith("valid_")}
    return Decision(
        **{name: known[name] for name in names if known.get(name) is not None},
        metrics=metrics or _metrics_of(gate, known.get("model")),
        gate=gate,
    )


def find(facts: Mapping[str, Any], *path: str) -> Any:  # noqa: ANN401  JSON
    """Return what is at `path` in nested JSON, or None if any part of it is missing."""
    found: Any = facts
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _metrics_of(gate: Mapping[str, Any], model: str | None) -> dict[str, float]:
    value = find(gate, "candidate", "figures", str(model))
    return {} if value is None else {f"valid_{gate.get('metric')}": value}


def list_figures(decision: Decision) -> list[tuple[str, str]]:
    """Return name and value of the gate's figures, for people: of both twins, their difference, its interval."""
    gate = decision.gate
    rows = [("model", decision.model), ("reason", decision.reason), ("figures", None if gate else decision.figures)]
    known = find(gate, "comparison", "known")
    reference = find(gate, "reference", "comparison", "known")
    rows.append((str(gate.get("metric")), _compare(known) if known else None))
    rows.append(("with the reference", _compare(reference) if reference else None))
    if not known:
        rows += [(name, f"{value:.4f}") for name, value in decision.metrics.items()]
        before = find(gate, "champion", "figure")
        rows.append(("champion's at its promotion", None if before is None else f"{before:.4f}"))
    rows.append(("published by force, although", gate.get("forced")))
    return [(name, str(value)) for name, value in rows if value is not None]


def _compare(figures: Mapping[str, Any]) -> str:
    interval = f"{figures['low']:+.4f} to {figures['high']:+.4f}"
    difference = f"{figures['difference']:+.4f} ({interval})"
    return f"{figures['candidate']:.4f} against {figures['other']:.4f}: {difference}, {figures['users']:,} users"
