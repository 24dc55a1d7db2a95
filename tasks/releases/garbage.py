"""Which releases, runs and remains in the store are kept, and why. Each rule is a function with its reason.

What no rule keeps is garbage. Inputs of a dataset (media, logs, matrices, weights) are never judged: people put them
there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tasks.errors import Corrupt, NotFound
from tasks.releases.holdings import Holding, Kind
from tasks.releases.reference import WINDOW
from tasks.store import Store, read_artefact
from tasks.store.garbage import References
from tasks.store.layout import RUNS

log = logging.getLogger(__name__)
LEFT = timedelta(days=1)  # no command takes so long between two writes


@dataclass(frozen=True)
class Limits:
    """How much is kept: so many releases that were served, and runs of so many days."""

    releases: int
    days: int


@dataclass(frozen=True)
class Facts:
    """What the rules ask; `lineage`: the runs that kept releases were made by."""

    known: References
    limits: Limits
    lineage: frozenset[str] = frozenset()

    def is_within(self, moment: datetime | None, age: timedelta) -> bool:
        """Whether a moment is no older than `age`, by the database's clock."""
        return moment is not None and moment >= self.known.now - age


@dataclass(frozen=True)
class Verdict:
    """Whether something is kept, and why."""

    holding: Holding
    keep: bool
    reason: str


Rule = Callable[[Holding, Facts], bool]


def is_served(release: Holding, facts: Facts) -> bool:
    """The pointer names it."""
    return release.name == facts.known.served


def is_gone_back_to(release: Holding, facts: Facts) -> bool:
    """A rollback without a name would serve it."""
    return release.name == facts.known.before


def waits_for_answer(holding: Holding, facts: Facts) -> bool:
    """A human has been asked about it, or about what the run made."""
    waiting = facts.known.waiting
    return holding.name in (waiting.values() if holding.kind == "release" else waiting)


def was_named(release: Holding, facts: Facts) -> bool:
    """It was promoted, or a move of the pointer came to it or went from it: the gate compares with it."""
    return release.name in facts.known.named


def is_among_last(release: Holding, facts: Facts) -> bool:
    """Few others were published after it."""
    return release.name in facts.known.published[: facts.limits.releases]


def is_recent(holding: Holding, facts: Facts) -> bool:
    """Something of it was written, or its run began or ended, not long ago."""
    run = facts.known.runs.get(holding.name) if holding.kind != "release" else None
    age = timedelta(days=facts.limits.days)
    if holding.kind == "left over" or (holding.kind == "release" and not holding.complete):
        age = LEFT
    return facts.is_within(holding.modified, age) or facts.is_within(run.touched if run else None, age)


def is_running(holding: Holding, facts: Facts) -> bool:
    """Its run goes on. What has been at it for longer than runs are kept was killed: nobody recorded its end."""
    run = facts.known.runs.get(holding.name)
    return run is not None and run.status == "running" and is_recent(holding, facts)


def is_unknown(holding: Holding, facts: Facts) -> bool:
    """The database does not know its run: what it is for cannot be told."""
    return holding.name not in facts.known.runs


def is_lineage(run: Holding, facts: Facts) -> bool:
    """A release that is kept was made from it."""
    return run.name in facts.lineage


RELEASE: dict[str, Rule] = {
    "it is served": is_served,
    "a rollback goes back to it": is_gone_back_to,
    "it waits for an answer": waits_for_answer,
    f"the pointer named it in the last {WINDOW.days} days": was_named,
    "it is one of the last that were served": is_among_last,
    "it was written not long ago": is_recent,
}
REMAINS: dict[str, Rule] = {
    "its run goes on": is_running,
    "it or its run is recent": is_recent,
    "its release waits for an answer": waits_for_answer,
    "no database knows its run": is_unknown,
}
RULES: Mapping[Kind, dict[str, Rule]] = {
    "release": RELEASE,
    "run": {**REMAINS, "a release that is kept was made from it": is_lineage},
    "quarantine": REMAINS,
    "trials": REMAINS,
    "left over": {"it was written not long ago": is_recent},
    "unfinished": {},
    "replaced": {},
}
BECAUSE: Mapping[Kind, str] = {
    "release": "a release that is not among the last and that nothing named lately",
    "run": "a run that ended long ago, of which no kept release was made",
    "quarantine": "refused files of a run that ended long ago",
    "trials": "trials or checkpoints of a run that ended long ago",
    "left over": "left by a command that was killed",
    "unfinished": "a write that did not come to its end",
    "replaced": "its vectors are in a larger part",
}


def judge(holding: Holding, facts: Facts) -> Verdict:
    """Return the first rule that keeps it, or why it is garbage."""
    for reason, rule in RULES[holding.kind].items():
        if rule(holding, facts):
            return Verdict(holding, keep=True, reason=reason)
    return Verdict(holding, keep=False, reason=BECAUSE[holding.kind])


def judge_dataset(
    store: Store, releases: Iterable[Holding], runs: Mapping[str, list[Holding]], known: References, limits: Limits
) -> Iterator[Verdict]:
    """Judge the releases of a dataset and what stands there of its runs; trials go with a run that goes."""
    judged = [judge(release, Facts(known, limits)) for release in releases]
    yield from judged
    kept = [verdict.holding for verdict in judged if verdict.keep]
    facts = Facts(known, limits, frozenset(run for one in kept for run in runs_of(store, one, known)))
    for run in known.runs:
        holdings = runs.get(run, [])
        touched = max((one.modified for one in holdings if one.modified), default=None)
        verdicts = [judge(replace(holding, touched=touched), facts) for holding in holdings]
        whole = any(not verdict.keep and verdict.holding.kind == "run" for verdict in verdicts)
        yield from (one for one in verdicts if not (whole and one.holding.kind == "trials"))


def runs_of(store: Store, release: Holding, known: References) -> frozenset[str]:
    """Return the runs that a release was made by: by the database, and by its manifest."""
    runs = set(known.makers.get(release.name, ()))
    if not release.complete:
        return frozenset(runs)
    try:
        manifest = read_artefact(store, release.prefix).manifest
    except (Corrupt, NotFound) as error:
        log.warning("what release %s was made from is known by the database alone: %s", release.name, error)
        return frozenset(runs)
    runs |= {str(manifest.parameters["run"])} if "run" in manifest.parameters else set()
    parts = [prefix.split("/") for prefix in manifest.inputs]
    return frozenset(runs | {names[1] for names in parts if names[0] == RUNS and len(names) > 1})
