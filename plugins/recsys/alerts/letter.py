"""The text of the alert email: plain text and simple HTML from the same facts. Independent of Airflow and database."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass, field

from recsys.alerts.evidence import Champion, Failure

MOST = 20  # maximum number of expectations, and of tasks, in an email
MOST_IDS = 10


@dataclass(frozen=True)
class FailedTask:
    """One task that finally failed."""

    name: str
    error: str
    log_url: str
    try_number: int | None
    tries: int


@dataclass(frozen=True)
class Alert:
    """The facts in the email."""

    dag: str
    run: str
    run_url: str
    dataset: str
    reason: str
    tasks: list[FailedTask] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    champion: Champion | None = None
    gaps: list[str] = field(default_factory=list)  # unavailable facts, and why


def line(value: object) -> str:
    """Return `value` as one line of printable characters, since item ids and errors come from untrusted files."""
    return "".join(c if c.isprintable() else " " for c in " ".join(str(value).split()))


def subject(alert: Alert) -> str:
    """Return the subject: the dataset, what happened, and the run."""
    if count := sum(failure.severity == "critical" for failure in alert.failures):
        what = f"validation failed, {count} expectation{'s' if count > 1 else ''}"
    elif alert.tasks:
        more = f" and {len(alert.tasks) - 1} more" if len(alert.tasks) > 1 else ""
        what = f"{alert.tasks[0].name}{more} failed"
    else:
        what = f"run ended: {alert.reason}"
    return line(f"[recsys] {alert.dataset}: {what} ({alert.dag}, {alert.run})")[:200]


def describe_serving(alert: Alert) -> str:
    """What the users of the recommender get now."""
    published = alert.champion is not None and alert.champion.run == alert.run  # and then something failed
    serving = describe_champion(alert.dataset, alert.champion, alert.run, known=not alert.gaps)
    return serving if published else f"This run published nothing. {serving}"


def describe_champion(dataset: str, champion: Champion | None, run: str, *, known: bool) -> str:
    """What a dataset is served from, by the end of `run`; not `known`: it may be that it could not be found out."""
    if champion is None:
        return f"The release that {dataset} is served from {'does not exist yet' if known else 'is not known'}."
    since = champion.since.strftime("%Y-%m-%d %H:%M %Z").strip()
    still = "" if champion.run == run else "still "
    return f"{dataset} is {still}served from release {champion.release}, model {champion.model}, since {since}."


def details(failure: Failure) -> Iterator[tuple[str, str]]:
    """Yield name and value of the known facts about a failed expectation."""
    yield "expected", failure.expected
    yield "observed", failure.observed
    if failure.unexpected_count is not None:
        of = "" if failure.element_count is None else f" of {failure.element_count}"
        yield "count", f"{failure.unexpected_count}{of}"
    if failure.sample_ids:
        yield "items", ", ".join(line(i) for i in failure.sample_ids[:MOST_IDS])


def title(failure: Failure) -> str:
    """Return expectation, column and suite, and whether it only informs."""
    column = f" on {failure.column}" if failure.column else ""
    warning = "" if failure.severity == "critical" else f"{failure.severity}: "
    return f"{warning}{failure.expectation}{column} ({failure.suite})"


def attempts(task: FailedTask) -> str:
    """Return the number of tries, and whether it was not retried (bad data, bad input)."""
    if task.try_number is None:
        return ""
    return f", try {task.try_number}" + (f" of {task.tries}" if task.try_number >= task.tries else ", not retried")


def text(alert: Alert) -> str:
    """Return the email as plain text."""
    lines = [
        f"Dataset  {line(alert.dataset)}",
        f"Run      {line(alert.run)} of {alert.dag}",
        f"         {alert.run_url}",
    ]
    lines += ["", line(describe_serving(alert))]
    for task in alert.tasks[:MOST]:
        lines += ["", f"Failed: {line(task.name)}{attempts(task)}", f"  {line(task.error)}", f"  {task.log_url}"]
    if not alert.tasks:
        lines += ["", f"The run ended with: {line(alert.reason)}"]
    if alert.failures:
        lines += ["", f"Expectations that failed: {len(alert.failures)}"]
    for failure in alert.failures[:MOST]:
        lines += ["", f"* {line(title(failure))}", *(f"  {name:<9}{line(value)}" for name, value in details(failure))]
    lines += rest(alert)
    return "\n".join(lines) + "\n"


def rest(alert: Alert) -> list[str]:
    """Return what was left out, and unavailable facts."""
    left_out = max(len(alert.failures) - MOST, 0), max(len(alert.tasks) - MOST, 0)
    lines = [
        f"Not shown here: {count} more {what}"
        for count, what in zip(left_out, ("expectations", "tasks"), strict=True)
        if count
    ]
    return ["", *lines, *(f"Not available: {line(gap)}" for gap in alert.gaps)] if lines or alert.gaps else []


def markup(alert: Alert) -> str:
    """Return the email as HTML: no styles, images or scripts, and every value escaped."""

    def e(value: object) -> str:
        return html.escape(line(value))

    def link(url: str, label: object) -> str:
        return f'<a href="{html.escape(url, quote=True)}">{e(label)}</a>'

    parts = [
        f"<p>Dataset <b>{e(alert.dataset)}</b><br>Run {link(alert.run_url, alert.run)} of {e(alert.dag)}</p>",
        f"<p>{e(describe_serving(alert))}</p>",
    ]
    parts += [
        f"<p>Failed: <b>{e(task.name)}</b>{e(attempts(task))} ({link(task.log_url, 'log')})<br>{e(task.error)}</p>"
        for task in alert.tasks[:MOST]
    ]
    if not alert.tasks:
        parts.append(f"<p>The run ended with: {e(alert.reason)}</p>")
    if alert.failures:
        parts.append(f"<p>Expectations that failed: {len(alert.failures)}</p>")
    for failure in alert.failures[:MOST]:
        rows = "".join(f"<tr><td>{e(name)}</td><td>{e(value)}</td></tr>" for name, value in details(failure))
        parts.append(f"<p><b>{e(title(failure))}</b></p><table>{rows}</table>")
    parts += [f"<p>{e(note)}</p>" for note in rest(alert) if note]
    return "<!doctype html><html><body>" + "\n".join(parts) + "</body></html>\n"
