"""Callback of a DAG: at most one email for a run without a failure, with the evidence.

It tells that the gate turned the run's model down, or that a model was published again after runs that failed or were
turned down, or else that the champion has become older than RECSYS_CHAMPION_DAYS. That is told once: by the first run
that ends after the day.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from recsys.alerts import evidence
from recsys.alerts.callbacks import deliver
from recsys.alerts.evidence import Champion
from recsys.alerts.letter import describe_champion
from recsys.alerts.lookup import LookUp
from recsys.alerts.news import News, markup, subject, text
from recsys.closing import list_evidence, pull_decision
from recsys.links import run_url
from recsys.media import dataset_of

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)
VARIABLE, USUAL = "RECSYS_CHAMPION_DAYS", "14"
MOST = 10  # runs that are named
Told = tuple[str, list[str]]  # for the subject, and sentences


def read_days(value: str) -> int:
    """Return the number of days. Raises ValueError, where a DAG file is parsed, so that Airflow's UI shows it."""
    if not value.isdecimal():
        raise ValueError(f"{VARIABLE} is {value!r}, expected a whole number of days, or 0 for no such email")
    return int(value)


CHAMPION_DAYS = read_days(os.environ.get(VARIABLE) or USUAL)


def mail_decision(context: Context) -> None:
    """DAG-level callback of success. Errors here do not change the outcome of the run."""
    run = context["run_id"]
    try:
        news = compose(context)
    except Exception:
        log.exception("ALERT NOT SENT: it could not be found out what run %s came to", run)
        return
    if news is not None:
        deliver(run, f"ended ({news.what})", lambda: (subject(news), text(news), markup(news)))


def compose(context: Context) -> News | None:
    """Collect the facts; None if there is nothing to tell."""
    look_up, run, dag = LookUp(), context["run_id"], context["dag"].dag_id
    dataset = dataset_of(context["params"], context["triggering_asset_events"])
    record = look_up("the record of the decision", None, evidence.read_record, run)
    champion = look_up("the release that is being served", None, evidence.read_champion, dataset)
    decision = pull_decision(context, record)
    if decision is None:
        told: Told | None = _describe_age(look_up, dataset, run, champion)
    elif decision.promoted:
        told = _describe_recovery(look_up, dataset, run, champion)
    else:
        told = f"{decision.model} rejected", [f"{decision.model} was not published: {decision.reason}."]
    if told is None:
        return None
    what, sentences = told
    return News(
        dag=dag,
        run=run,
        run_url=run_url(dag, run),
        dataset=dataset,
        what=what,
        sentences=[*sentences, describe_champion(dataset, champion, run, known=not look_up.gaps)],
        evidence=list_evidence(context, decision),
        gaps=look_up.gaps,
    )


def _describe_age(look_up: LookUp, dataset: str, run: str, champion: Champion | None) -> Told | None:
    if not CHAMPION_DAYS or champion is None:
        return None
    made = look_up("the age of the champion", None, evidence.read_day_if_newly_old, dataset, run, CHAMPION_DAYS)
    if made is None:
        return None
    return (
        f"nothing new for {CHAMPION_DAYS} days",
        [f"The release is of {made:%Y-%m-%d}, older than {CHAMPION_DAYS} days ({VARIABLE}); this run made none."],
    )


def _describe_recovery(look_up: LookUp, dataset: str, run: str, champion: Champion | None) -> Told | None:
    bad: list[tuple[str, str]] = look_up("the runs before it", [], evidence.read_bad_runs, run)
    if not bad:
        return None
    named = "; ".join(f"{name} {status}" for name, status in bad[-MOST:])
    runs = "a run" if len(bad) == 1 else f"{len(bad)} runs"
    return f"published again, after {runs} without", [f"The first release after {runs} without one: {named}."]
