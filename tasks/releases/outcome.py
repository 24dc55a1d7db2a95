"""What a run came to, for closing lines and artefacts, and the gate report with a human's answer."""

from __future__ import annotations

from typing import Literal

from tasks.metrics import DECIDES
from tasks.releases.gate import Gate
from tasks.store import Answer, Store, release_prefix

Outcome = Literal["promoted", "rejected", "waiting"]


def describe_outcome(gate: Gate, outcome: Outcome, release: str | None) -> dict[str, object]:
    """What was decided on which figures; `release` is None after a rejection."""
    return {
        "published": outcome == "promoted",
        "outcome": outcome,
        "release": release,
        "model": gate.candidate.model,
        "figures": gate.figures,
        "reason": gate.reason,
    }


def closing_line(store: Store, run: str, dataset: str, gate: Gate, described: dict[str, object]) -> dict[str, object]:
    """The same as a closing line: with the run, where the release is, and the metric that decides."""
    release = described["release"]
    uri = f"{store.url}/{release_prefix(dataset, str(release))}" if release else None
    return {"run": run, "dataset": dataset, **described, "uri": uri, f"valid_{DECIDES}": gate.candidate.score}


def with_answer(gate: Gate, answer: Answer) -> Gate:
    """The gate report with the answer in its reason; all figures are those that were asked about."""
    at = answer.at.strftime("%Y-%m-%d %H:%M %Z")
    if answer.by is None:
        reason = f"nobody had answered by {at} whether to approve it"
    elif answer.approved:
        reason = f"{gate.reason}; approved by {answer.by} at {at}"
    else:
        reason = f"rejected by {answer.by} at {at}"
    return gate.model_copy(update={"reason": reason})
