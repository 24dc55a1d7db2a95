"""What a message says, whatever channel it goes by: facts, kept as JSON in the outbox. Independent of Airflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from recsys.alerts.evidence import Champion, Failure


@dataclass(frozen=True)
class FailedTask:
    """One task that finally failed."""

    name: str
    error: str
    log_url: str
    try_number: int | None = None
    tries: int = 1

    @property
    def attempts(self) -> str:
        """The number of tries, and whether it was not retried (bad data, bad input)."""
        if self.try_number is None:
            return ""
        return f", try {self.try_number}" + (f" of {self.tries}" if self.try_number >= self.tries else ", not retried")


@dataclass(frozen=True)
class Letter:
    """The facts; `evidence` and `links` have names and values, `gaps` what could not be found out, and why."""

    what: str  # for the subject
    dataset: str | None = None
    dag: str | None = None
    run: str | None = None
    run_url: str | None = None
    sentences: list[str] = field(default_factory=list)
    tasks: list[FailedTask] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    evidence: list[tuple[str, str]] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)


def to_json(letter: Letter) -> dict[str, Any]:
    """Return the facts as JSON."""
    return asdict(letter)


def from_json(facts: Mapping[str, Any]) -> Letter:
    """Return the letter of which `facts` are the JSON. Raises TypeError for what is none."""
    parts: dict[str, Any] = dict(facts)
    parts |= {
        "tasks": [FailedTask(**task) for task in facts.get("tasks", ())],
        "failures": [Failure(**failure) for failure in facts.get("failures", ())],
    }
    parts |= {name: [tuple(pair) for pair in facts.get(name, ())] for name in ("evidence", "links")}
    return Letter(**parts)


def line(value: object) -> str:
    """Return `value` as one line of printable characters, since item ids and errors come from untrusted files."""
    return "".join(c if c.isprintable() else " " for c in " ".join(str(value).split()))


def name_failure(tasks: Sequence[FailedTask], failures: Sequence[Failure], reason: str) -> str:
    """What went wrong in a run, for the subject of a message."""
    if count := sum(failure.severity == "critical" for failure in failures):
        return f"validation failed, {count} expectation{'s' if count > 1 else ''}"
    if tasks:
        more = f" and {len(tasks) - 1} more" if len(tasks) > 1 else ""
        return f"{tasks[0].name}{more} failed"
    return f"run ended: {reason}"


def describe_serving(dataset: str, champion: Champion | None, run: str, *, known: bool) -> str:
    """What the users of the recommender get after a run that failed."""
    published = champion is not None and champion.run == run  # and then something failed
    serving = describe_champion(dataset, champion, run, known=known)
    return serving if published else f"This run published nothing. {serving}"


def describe_champion(dataset: str, champion: Champion | None, run: str, *, known: bool) -> str:
    """What a dataset is served from, by the end of `run`; not `known`: it may be that it could not be found out."""
    if champion is None:
        return f"The release that {dataset} is served from {'does not exist yet' if known else 'is not known'}."
    since = champion.since.strftime("%Y-%m-%d %H:%M %Z").strip()
    still = "" if champion.run == run else "still "
    return f"{dataset} is {still}served from release {champion.release}, model {champion.model}, since {since}."
