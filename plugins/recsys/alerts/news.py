"""Letters about decisions, which `publish` and `promote` write to the outbox with the decision itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recsys.alerts import evidence
from recsys.alerts.letter import Letter, describe_champion
from recsys.alerts.lookup import LookUp
from recsys.alerts.outbox import Stored
from recsys.decision import Decision, list_figures, read_decision
from recsys.links import page_url, run_url

MOST = 10  # runs that are named


def write_rejection(message: Stored) -> Letter:
    """A model was turned down, by the gate or by a human: why, with the figures of both twins."""
    look_up, run = LookUp(), str(message.run)
    decision = read_decision(None, look_up("the record of the decision", None, evidence.read_record, run))
    model, reason = (decision.model, decision.reason) if decision else ("a model", "its record is not known")
    sentences = [f"{model} was not published: {reason}.", *_count_again(look_up, str(message.dag), run)]
    return _write(message, f"{model} rejected", sentences, decision, look_up)


def write_recovery(message: Stored) -> Letter:
    """What was bad is good again: what it was."""
    look_up, run = LookUp(), str(message.run)
    bad: list[Mapping[str, Any]] = message.facts.get("bad", [])
    decision = (
        read_decision(None, look_up("the record of the decision", None, evidence.read_record, run))
        if message.run
        else None
    )
    named = "; ".join(f"{one['run'] or message.key} {one['kind']}" for one in bad[-MOST:])
    runs = [one for one in bad if one["run"]]
    count = "a run" if len(runs) == 1 else f"{len(runs)} runs"
    if decision is not None and decision.promoted and runs:
        what = f"published again, after {count} without"
        sentences = [f"The first release after {count} without one: {named}."]
    elif runs:
        what = f"good again, after {count} that {'was' if len(runs) == 1 else 'were'} not"
        sentences = [f"The first good run after {count}: {named}."]
    else:
        what = "good again"
        sentences = [f"Good again: {', '.join(dict.fromkeys(one['kind'] for one in bad))}, first told {bad[0]['at']}."]
    return _write(message, what, sentences, decision, look_up)


def _count_again(look_up: LookUp, dag: str, run: str) -> list[str]:
    before = look_up("how often it was so before", None, evidence.count_repeats, dag, run)
    return [f"It was so {before[0]} times before, since {before[1]:%Y-%m-%d %H:%M %Z}."] if before else []


def _write(message: Stored, what: str, sentences: list[str], decision: Decision | None, look_up: LookUp) -> Letter:
    figures = list_figures(decision) if decision else []
    counts = [(name, value) for name, value in message.facts.get("counts", ())]
    if message.dataset and message.run:
        champion = look_up("the release that is being served", None, evidence.read_champion, message.dataset)
        known = not look_up.gaps
        sentences = [*sentences, describe_champion(message.dataset, champion, message.run, known=known)]
    page = page_url("run", dataset=message.dataset, run=message.run)
    links = [("History of the run", page)] if message.run else []
    return Letter(
        what=what,
        dataset=message.dataset,
        dag=message.dag,
        run=message.run,
        run_url=run_url(message.dag, message.run) if message.dag and message.run else None,
        sentences=sentences,
        evidence=figures + counts,
        links=links,
        gaps=look_up.gaps,
    )
