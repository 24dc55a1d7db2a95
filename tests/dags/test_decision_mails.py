"""What people are told of a run that did not fail: at most one mail, with the figures."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
from recsys.alerts import decisions
from recsys.alerts.decisions import compose, read_days
from recsys.alerts.news import News, markup, subject, text

from tests.dags.mailbox import bodies, with_history

if TYPE_CHECKING:
    from airflow.sdk import DAG

GATE = {
    "metric": "ndcg@20",
    "reason": "it is worse",
    "candidate": {"model": "hybrid", "figures": {"hybrid": 0.24}},
    "champion": {"release": "one", "figure": 0.26},
}
COMPARED = {"candidate": 0.2301, "other": 0.2512, "difference": -0.0211, "low": -0.031, "high": -0.0112, "users": 1234}
REJECTED = {"outcome": "rejected", "model": "hybrid", "reason": "it is worse", "valid_ndcg@20": 0.24}
PROMOTED = {"outcome": "promoted", "model": "hybrid", "release": "two", "valid_ndcg@20": 0.27}
RECORD = """
import json, sys
from tasks.store import open_history
dataset, run, release, gate = json.loads(sys.argv[1])
with open_history() as history:
    history.start_run(run, dataset, {}, "http://airflow.test/" + run)
    if release:
        history.promote(dataset, run, "hybrid", release, gate, "0" * 64, seen=history.champion(dataset))
    elif gate:
        history.reject(dataset, run, "hybrid", gate, "0" * 64)
"""


def record(dataset: str, run: str, release: str | None = None, gate: dict[str, Any] | None = None) -> None:
    """A run that ended with a decision; without release and gate, one that failed by a fault."""
    with_history(RECORD, json.dumps([dataset, run, release, gate or ({} if release else None)]))


def change(dsn: str, statement: str, *values: object) -> None:
    """Change the metrics database."""
    with closing(psycopg2.connect(dsn)) as database, database, database.cursor() as sql:
        sql.execute(statement, values)


def context_of(dag: DAG, run: str, dataset: str, report: dict[str, Any] | None) -> Any:
    """What the callback gets; three items arrived, and two files of one and one of another feature were refused."""
    reports = {"prepare": [{"arrivals": 3}], "extract": [{"rejected": 2}, {"rejected": 1}]}
    reports |= {"check-embeddings": [{"warnings": 2}], "check-dataset": [None]}
    ti = SimpleNamespace(xcom_pull=lambda task_ids, key: reports[task_ids[0]] if isinstance(task_ids, list) else report)
    return {"dag": dag, "run_id": run, "ti": ti, "params": {"dataset": dataset}, "triggering_asset_events": {}}


@pytest.mark.fault("F16")
def test_a_rejection_is_one_mail_with_the_figures_of_both(
    run_dag: Callable[..., Any], retrain: DAG, post: Any, tell: Callable[..., str]
) -> None:
    """By the DAG's own callback: what was rejected and why, the counts, and what is still served."""
    record("shorts", "shorts-1", release="one")
    refused = {f"extract/{modality}": (0, "", {"rejected": 1}) for modality in ("image", "text")}
    outcomes = refused | {"publish": (0, "", REJECTED), "prepare": (0, "", {"arrivals": 3})}
    ran = run_dag(retrain, outcomes, dataset="shorts", models=["ease"], modalities=["image", "text"])
    record("shorts", ran.run.run_id, gate=GATE | {"comparison": {"known": COMPARED}})
    tell(ran.run)
    (mail,) = post.arrived()
    assert mail["Subject"] == f"[recsys] shorts: hybrid rejected (retrain_nightly, {ran.run.run_id})"
    facts = ["hybrid was not published: it is worse.", "shorts is still served from release one, model hybrid"]
    facts += [
        "ndcg@20",
        "0.2301 against 0.2512: -0.0211 (-0.0310 to -0.0112), 1,234 users",
        "arrivals",
        "files refused",
    ]
    for form in bodies(mail):
        assert [fact for fact in facts if fact not in form] == []
        assert "Not available" not in form


def test_figures_that_an_earlier_gate_recorded_are_told_as_what_they_are(retrain: DAG, post: Any) -> None:
    """It compared with the score at the promotion."""
    record("earlier", "earlier-1", release="one")
    record("earlier", "earlier-2", gate=GATE)
    news = compose(context_of(retrain, "earlier-2", "earlier", REJECTED))
    assert news is not None
    measured = [("valid_ndcg@20", "0.2400"), ("champion's at its promotion", "0.2600")]
    counts = [("arrivals", "3"), ("files refused", "3"), ("warnings", "2")]
    assert news.evidence == [("model", "hybrid"), ("reason", "it is worse"), *measured, *counts]


def test_the_first_release_after_bad_runs_is_one_mail(retrain: DAG, post: Any) -> None:
    """It names the runs since the last release that failed or were rejected; the next release is no news."""
    record("bad", "bad-1", release="one")
    assert compose(context_of(retrain, "bad-1", "bad", PROMOTED)) is None
    record("bad", "bad-2")
    record("bad", "bad-3", gate=GATE)
    record("bad", "bad-4", release="two")
    news = compose(context_of(retrain, "bad-4", "bad", PROMOTED))
    assert news is not None
    assert subject(news) == "[recsys] bad: published again, after 2 runs without (retrain_nightly, bad-4)"
    assert news.sentences[0] == "The first release after 2 runs without one: bad-2 failed; bad-3 rejected."
    assert news.sentences[1].startswith("bad is served from release two, model hybrid, since ")
    record("bad", "bad-5", release="three")
    assert compose(context_of(retrain, "bad-5", "bad", PROMOTED)) is None


def test_a_champion_that_became_old_is_told_once(
    retrain: DAG, post: Any, servers: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the first run that ends after the day; after a rollback to an old one, by the first run after that."""
    dsn = servers["dsn"]
    record("quiet", "quiet-1", release="one")
    context = context_of(retrain, "quiet-2", "quiet", None)
    assert compose(context) is None
    past = "now() - interval '15 days'"
    change(dsn, f"UPDATE rec.release SET created_at = {past} WHERE dataset = 'quiet'")
    change(dsn, f"UPDATE rec.pointer SET since = {past} WHERE dataset = 'quiet'")
    change(dsn, f"UPDATE rec.run SET finished_at = {past} WHERE dataset = 'quiet'")
    news = compose(context)
    assert news is not None
    assert news.what == "nothing new for 14 days"
    assert "quiet is still served from release one" in news.sentences[1]
    with monkeypatch.context() as off:
        off.setattr(decisions, "CHAMPION_DAYS", 0)
        assert compose(context) is None

    record("quiet", "quiet-2")
    change(
        dsn, "UPDATE rec.run SET status = 'skipped', finished_at = now() WHERE run = 'quiet-2' AND dataset = 'quiet'"
    )
    assert compose(context_of(retrain, "quiet-3", "quiet", None)) is None
    change(dsn, "UPDATE rec.pointer SET since = clock_timestamp() WHERE dataset = 'quiet'")
    assert compose(context_of(retrain, "quiet-3", "quiet", None)) is not None


def test_a_rejection_is_told_when_the_metrics_database_is_away(
    retrain: DAG, post: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the closing line; what could not be found out is named."""
    monkeypatch.setenv("AIRFLOW_CONN_METRICS_DB", "postgresql://metrics:very-secret@127.0.0.1:1/metrics")
    news = compose(context_of(retrain, "night", "films", REJECTED))
    assert news is not None
    plain = text(news)
    assert "hybrid was not published: it is worse." in plain
    assert "The release that films is served from is not known." in plain
    assert "Not available: the record of the decision (OperationalError" in plain
    assert "very-secret" not in plain


def test_the_days_are_a_number() -> None:
    """Where the DAG file is parsed."""
    assert read_days("0") == 0
    with pytest.raises(ValueError, match="RECSYS_CHAMPION_DAYS is 'two weeks', expected a whole number of days, or 0"):
        read_days("two weeks")


def test_what_strangers_wrote_stays_text() -> None:
    """In the reason, in a value, and in the address."""
    evil = "<img src=x>\r\nBcc: everybody@example.org"
    news = News("d", "r", 'http://a/"><img src=x>', evil, evil, [evil], [(evil, evil)], [evil])
    assert "<img" not in markup(news)
    for form in (subject(news), text(news), markup(news)):
        assert not [row for row in form.splitlines() if row.startswith("Bcc")]
