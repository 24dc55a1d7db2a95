"""The answer of a human to a release that waits: it becomes the champion, or it does not."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Annotated, Literal

import typer
from pydantic import ValidationError

from tasks.errors import BadInput, Corrupt, NotFound
from tasks.releases.gate import Gate
from tasks.releases.outcome import Outcome, closing_line, describe_outcome, with_answer
from tasks.releases.verify import verify_release
from tasks.steps.options import Run
from tasks.store import (
    Answer,
    Decision,
    History,
    Store,
    open_history,
    open_store,
    release_prefix,
    write_artefact,
)
from tasks.store.layout import run_key

log = logging.getLogger(__name__)
LONGEST_NAME = 100  # characters; the column has the same limit
Said = Literal["approved", "rejected", "unanswered"]
OUTCOMES: dict[bool, Outcome] = {True: "promoted", False: "rejected"}


def promote(
    *,
    run: Run,
    answer: Annotated[Said, typer.Option(help="What a human said; unanswered: nothing, for too long.")],
    by: Annotated[str, typer.Option(help="Who said it; empty if nobody did.")] = "",
    at: Annotated[str, typer.Option(help="When: ISO 8601 with a time zone; default: now.")] = "",
) -> dict[str, object]:
    """Record a human's answer about the release that `publish` left waiting, and serve it if it is approved.

    The champion must still be the one that the gate compared with. Who answered, and when, is recorded with the
    decision. Repeating an answer changes nothing; another answer than the recorded one is refused.
    """
    given = read_answer(answer, by, at)
    store = open_store()
    with open_history() as history:
        decision = history.decision(run)
        if decision is None:
            raise NotFound(f"run {run} has no decision, expected `publish` to have left its release waiting")
        if decision.outcome == "waiting":
            decision = decide(store, history, decision, given)
        else:
            require_same(decision, given)
            log.info("run %s was %s already: nothing is changed", run, decision.outcome)
    gate = read_report(decision)
    described = describe_outcome(gate, OUTCOMES[decision.outcome == "promoted"], decision.release)
    with write_artefact(store, run_key(run, "promote")) as out:
        said = {"answered_by": decision.answered_by, "answered_at": str(decision.answered_at)}
        out.json("decision.json", described | said | {"gate": gate.model_dump(mode="json")})
    return closing_line(store, run, decision.dataset, gate, described) | {"by": decision.answered_by}


def read_answer(said: Said, by: str, at: str) -> Answer:
    """Return the answer. Raises BadInput for a name that is none, a wrong time, or an answer that nobody gave."""
    if (said == "unanswered") != (not by):
        raise BadInput(f"--answer {said} found with --by {by[:LONGEST_NAME]!r}, expected a name unless unanswered")
    if len(by) > LONGEST_NAME or not by.isprintable():
        raise BadInput(
            f"--by {by[:LONGEST_NAME]!r} has {len(by)} characters, expected at most {LONGEST_NAME}, all printable"
        )
    try:
        moment = datetime.fromisoformat(at) if at else datetime.now(UTC)
    except ValueError as error:
        raise BadInput(f"--at {at!r} found, expected a time such as 2026-03-01T02:00:00+00:00") from error
    if moment.tzinfo is None:
        raise BadInput(f"--at {at!r} has no time zone, expected a time such as 2026-03-01T02:00:00+00:00")
    return Answer(said == "approved", by or None, moment.astimezone(UTC))


def decide(store: Store, history: History, waiting: Decision, answer: Answer) -> Decision:
    """Record the answer and move the champion in one transaction. Raises BadInput if the champion is another one."""
    dataset, gate = waiting.dataset, read_report(waiting)
    champion = history.champion(dataset)
    if answer.approved:
        history.rescue(dataset, release_prefix(dataset, str(waiting.release)))
        verify_release(store, dataset, str(waiting.release))
        require_champion(waiting, gate, champion.release if champion else None)
    answered = with_answer(gate, answer)
    if not history.answer(waiting, answer, answered.model_dump(mode="json"), champion):
        raise BadInput(
            f"the release of run {waiting.run} was decided, or the champion of {dataset} changed, at the same moment, "
            "expected neither: look at it again"
        )
    level = logging.INFO if answer.approved else logging.WARNING
    what = f"{dataset} is served from" if answer.approved else "NOT PUBLISHED:"
    log.log(level, "%s release %s, model %s: %s", what, waiting.release, waiting.model, answered.reason)
    decided = history.decision(waiting.run)
    if decided is None:
        raise NotFound(f"the decision of run {waiting.run} is gone, expected the answer that was just recorded")
    return decided


def require_champion(waiting: Decision, gate: Gate, served: str | None) -> None:
    """Raise BadInput unless the served release is the one that the gate compared with."""
    compared = gate.champion.release if gate.champion else None
    if served != compared:
        raise BadInput(
            f"{waiting.dataset} is served from {served or 'no release'}, expected {compared or 'none'}, with which "
            f"release {waiting.release} was compared: publish run {waiting.run} again, to compare it anew"
        )


def require_same(decided: Decision, answer: Answer) -> None:
    """Raise BadInput unless a run was decided by the same answer."""
    if (decided.outcome == "promoted") == answer.approved and decided.answered_at and decided.answered_by == answer.by:
        return
    who = "by nobody's answer" if decided.answered_by is None else f"by {decided.answered_by}"
    raise BadInput(
        f"run {decided.run} was {decided.outcome} already, {who}, expected a release that waits: publish the run "
        "again, to ask anew"
    )


def read_report(decision: Decision) -> Gate:
    """Return the gate report of a decision. Raises Corrupt if it is none."""
    try:
        return Gate.model_validate(decision.gate)
    except ValidationError as error:
        raise Corrupt(
            f"the decision of run {decision.run} was recorded without its figures, expected them in rec.decision.gate: "
            "publish it again"
        ) from error
