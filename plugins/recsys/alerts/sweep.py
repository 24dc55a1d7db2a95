"""What nobody told because nothing happened: no good release for too long, and a served release that has become old."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from datetime import UTC, datetime

from recsys.alerts.letter import Letter, to_json
from recsys.alerts.outbox import Note, tell, transaction
from recsys.links import page_url

log = logging.getLogger(__name__)
DAYS, USUAL_DAYS = "RECSYS_CHAMPION_DAYS", "14"
HOURS, USUAL_HOURS = "RECSYS_OVERDUE_HOURS", "26"

# Datasets that Airflow worked on within thirty days, with the end of the last run that was good: it published, or had
# nothing new to learn from. Until there is one, the first run counts.
WATCHED = """
SELECT r.dataset, max(substring(r.url FROM '/dags/([^/]+)/runs/')) AS dag,
    coalesce(max(r.finished_at) FILTER (WHERE r.status IN ('published', 'skipped')), min(r.started_at)) AS since,
    count(*) FILTER (WHERE r.status IN ('published', 'skipped')) > 0 AS good,
    c.release, c.model, c.since AS served_since, m.created_at AS made
FROM rec.run r
LEFT JOIN rec.champion c ON c.dataset = r.dataset
LEFT JOIN rec.release m ON m.dataset = r.dataset AND m.release = c.release
WHERE r.url LIKE '%/dags/%/runs/%'
GROUP BY r.dataset, c.release, c.model, c.since, m.created_at
HAVING max(r.started_at) > now() - interval '30 days'
ORDER BY r.dataset
"""


@dataclass(frozen=True)
class Watched:
    """A dataset: when its last good run ended (not `good`: its first one began), and what is served."""

    dataset: str
    dag: str
    since: datetime
    good: bool
    release: str | None
    model: str | None
    served_since: datetime | None
    made: datetime | None


def read_number(name: str, usual: str, unit: str) -> int:
    """Return a setting. Raises ValueError for what is no whole number."""
    value = os.environ.get(name) or usual
    if not value.isdecimal():
        raise ValueError(f"{name} is {value!r}, expected a whole number of {unit}, or 0 for no such message")
    return int(value)


def read_watched() -> list[Watched]:
    """Return the datasets that are kept fresh."""
    with transaction() as sql:
        sql.execute(WATCHED)
        return [Watched(*row) for row in sql.fetchall()]


def sweep(now: datetime | None = None) -> list[str]:
    """Tell of datasets without a good release for RECSYS_OVERDUE_HOURS, or with one older than RECSYS_CHAMPION_DAYS.

    Returns the datasets that are overdue.
    """
    moment, overdue = now or datetime.now(UTC), []
    hours, days = read_number(HOURS, USUAL_HOURS, "hours"), read_number(DAYS, USUAL_DAYS, "days")
    for one in read_watched():
        late = (moment - one.since).total_seconds() / 3600
        if hours and late >= hours:
            overdue.append(one.dataset)
            tell(_write_overdue(one, hours, int(late // 24)))
        if days and one.made is not None and (moment - one.made).days >= days:
            tell(_write_old(one, days))
    return overdue


def _write_overdue(one: Watched, hours: int, day: int) -> Note:
    since = f"{one.since:%Y-%m-%d %H:%M %Z}".strip()
    what = f"The last good run ended at {since}" if one.good else f"No run was good since the first, at {since}"
    letter = Letter(
        what=f"no good release for {hours} hours",
        dataset=one.dataset,
        sentences=[
            f"{what}: none has published, or found nothing new, for more than {hours} hours ({HOURS}).",
            _describe_served(one),
            f"See whether {one.dag} is switched on, whether its runs fail, and whether the scheduler runs.",
        ],
        links=[("Runs of the dataset", page_url("runs", dataset=one.dataset))],
    )
    return Note(
        key=f"overdue/{one.dataset}/{one.since:%Y%m%dT%H%M%S}/{day}",
        kind="overdue",
        scope=f"{one.dag}/{one.dataset}",
        topic="overdue",
        dataset=one.dataset,
        dag=one.dag,
        facts={"letter": to_json(letter)},
    )


def _write_old(one: Watched, days: int) -> Note:
    letter = Letter(
        what=f"nothing new for {days} days",
        dataset=one.dataset,
        sentences=[f"The release is of {one.made:%Y-%m-%d}, older than {days} days ({DAYS}).", _describe_served(one)],
        links=[("Releases of the dataset", page_url("releases", dataset=one.dataset))],
    )
    return Note(
        key=f"old/{one.dataset}/{one.release}/{one.served_since:%Y%m%dT%H%M%S}",
        kind="old",
        scope=f"{one.dag}/{one.dataset}",
        topic=f"old {one.release}",
        dataset=one.dataset,
        dag=one.dag,
        facts={"letter": to_json(letter)},
    )


def _describe_served(one: Watched) -> str:
    if one.release is None:
        return f"Nothing is served for {one.dataset} yet."
    since = f"{one.served_since:%Y-%m-%d %H:%M %Z}".strip()
    return f"{one.dataset} is still served from release {one.release}, model {one.model}, since {since}."
