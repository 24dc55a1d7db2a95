"""The text of the email about a decision: plain text and simple HTML from the same facts. Independent of Airflow."""

from __future__ import annotations

import html
from dataclasses import dataclass, field

from recsys.alerts.letter import line


@dataclass(frozen=True)
class News:
    """The facts in the email; `evidence` has names and values."""

    dag: str
    run: str
    run_url: str
    dataset: str
    what: str  # for the subject
    sentences: list[str]
    evidence: list[tuple[str, str]] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)  # unavailable facts, and why


def subject(news: News) -> str:
    """Return the subject: the dataset, what happened, and the run."""
    return line(f"[recsys] {news.dataset}: {news.what} ({news.dag}, {news.run})")[:200]


def text(news: News) -> str:
    """Return the email as plain text."""
    lines = [f"Dataset  {line(news.dataset)}", f"Run      {line(news.run)} of {news.dag}", f"         {news.run_url}"]
    for sentence in news.sentences:
        lines += ["", line(sentence)]
    width = max((len(name) for name, _ in news.evidence), default=0)
    lines += (
        ["", *(f"  {line(name):<{width}}  {line(value)}" for name, value in news.evidence)] if news.evidence else []
    )
    lines += ["", *(f"Not available: {line(gap)}" for gap in news.gaps)] if news.gaps else []
    return "\n".join(lines) + "\n"


def markup(news: News) -> str:
    """Return the email as HTML: no styles, images or scripts, and every value escaped."""

    def e(value: object) -> str:
        return html.escape(line(value))

    link = f'<a href="{html.escape(news.run_url, quote=True)}">{e(news.run)}</a>'
    parts = [f"<p>Dataset <b>{e(news.dataset)}</b><br>Run {link} of {e(news.dag)}</p>"]
    parts += [f"<p>{e(sentence)}</p>" for sentence in news.sentences]
    rows = "".join(f"<tr><td>{e(name)}</td><td>{e(value)}</td></tr>" for name, value in news.evidence)
    parts += [f"<table>{rows}</table>"] if rows else []
    parts += [f"<p>Not available: {e(gap)}</p>" for gap in news.gaps]
    return "<!doctype html><html><body>" + "\n".join(parts) + "</body></html>\n"
