"""What people are told of a run that did not fail: at most one mail, with the figures."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from recsys.alerts.letter import Letter
from recsys.alerts.outbox import MESSAGE, Stored
from recsys.alerts.post import write_letter
from recsys.alerts.render import render
from recsys.alerts.sweep import read_number, sweep

from tests.dags.mailbox import bodies, change, with_history

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
    history.start_run(run, dataset, {}, "http://airflow.test/dags/retrain_nightly/runs/" + run)
    if release:
        history.promote(dataset, run, "hybrid", release, gate, "0" * 64, seen=history.champion(dataset))
    elif gate:
        history.reject(dataset, run, "hybrid", gate, "0" * 64)
    else:
        history.finish_run(run, "skipped")
"""


def record(dataset: str, run: str, release: str | None = None, gate: dict[str, Any] | None = None) -> None:
    """A run that ended with a decision; without release and gate, one that found nothing new."""
    with_history(RECORD, json.dumps([dataset, run, release, gate or ({} if release else None)]))


def letters(dsn: str, kind: str) -> list[Letter]:
    """What the outbox says of a kind, in order."""
    ids = change(dsn, "SELECT id FROM rec.message WHERE kind = %s AND folded_into IS NULL ORDER BY id", kind)
    return [write_letter(Stored(*row)) for (one,) in ids for row in change(dsn, MESSAGE, one)]


def fail(dsn: str, dataset: str, run: str) -> None:
    """A run of which the callback told that it failed."""
    told = ("failed/" + run, "failed", f"retrain_nightly/{dataset}", run, dataset, "retrain_nightly", run, "{}", "0")
    change(dsn, "SELECT rec.tell(%s, %s, %s, %s, %s, %s, %s, %s, %s)", *told)


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


def test_figures_that_an_earlier_gate_recorded_are_told_as_what_they_are(post: Any, servers: dict[str, Any]) -> None:
    """It compared with the score at the promotion."""
    record("earlier", "earlier-1", release="one")
    record("earlier", "earlier-2", gate=GATE)
    (news,) = letters(servers["dsn"], "rejected")
    measured = [("ndcg@20", "0.2400"), ("champion's at its promotion", "0.2600")]
    assert [(name.removeprefix("valid_"), value) for name, value in news.evidence] == [
        ("model", "hybrid"),
        ("reason", "it is worse"),
        *measured,
    ]


def test_nights_that_are_turned_down_in_a_row_say_how_often(post: Any, servers: dict[str, Any]) -> None:
    """Of two on a day one is sent; the next day's says since when."""
    dsn = servers["dsn"]
    record("sour", "sour-1", release="one")
    for night in (2, 3):
        record("sour", f"sour-{night}", gate=GATE)
    assert len(letters(dsn, "rejected")) == 1
    change(dsn, "UPDATE rec.message SET created_at = created_at - interval '21 hours'")
    record("sour", "sour-4", gate=GATE)
    first, last = letters(dsn, "rejected")
    assert first.sentences[1].startswith("sour is still served from release one")
    assert last.sentences[1].startswith("It was so 2 times before, since 20")


def test_the_first_release_after_bad_runs_is_told_once(post: Any, servers: dict[str, Any]) -> None:
    """It names the runs since the last release that failed or were rejected; the next release is no news."""
    dsn = servers["dsn"]
    record("bad", "bad-1", release="one")
    assert letters(dsn, "recovered") == []
    fail(dsn, "bad", "bad-2")
    record("bad", "bad-3", gate=GATE)
    record("bad", "bad-4", release="two")
    (news,) = letters(dsn, "recovered")
    subject = "[recsys] bad: published again, after 2 runs without (retrain_nightly, bad-4)"
    assert render(news).subject == subject
    assert news.sentences[0] == "The first release after 2 runs without one: bad-2 failed; bad-3 rejected."
    assert news.sentences[1].startswith("bad is served from release two, model hybrid, since ")
    record("bad", "bad-5", release="three")
    assert len(letters(dsn, "recovered")) == 1


def test_a_good_run_without_a_decision_is_a_recovery_too(
    run_dag: Callable[..., Any], retrain: DAG, post: Any, tell: Callable[..., str], servers: dict[str, Any]
) -> None:
    """A night that found nothing new, after one that failed: one mail, and none for the next such night."""
    fail(servers["dsn"], "calm", "calm-1")
    change(servers["dsn"], "INSERT INTO rec.delivery SELECT id, 'email', 1, now(), now() FROM rec.message")
    for _ in range(2):
        ran = run_dag(retrain, {"scan": (99, "nothing is new")}, dataset="calm", models=["ease"])
        tell(ran.run)
    (mail,) = post.arrived()
    assert mail["Subject"].startswith("[recsys] calm: good again, after a run that was not (retrain_nightly, ")
    assert "The first good run after a run: calm-1 failed." in bodies(mail)[0]


def test_a_typed_run_tells_nobody(post: Any, servers: dict[str, Any]) -> None:
    """Whoever typed it saw what it came to; it has no page in Airflow."""
    program = RECORD.replace('"http://airflow.test/dags/retrain_nightly/runs/" + run', "None")
    with_history(program, json.dumps(["typed", "typed-1", "one", {}]))
    with_history(program, json.dumps(["typed", "typed-2", None, GATE]))
    assert letters(servers["dsn"], "rejected") == []


def test_a_champion_that_became_old_is_told_once(
    post: Any, servers: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And once more when a rollback went back to it."""
    dsn = servers["dsn"]
    monkeypatch.setenv("RECSYS_OVERDUE_HOURS", "0")
    record("quiet", "quiet-1", release="one")
    sweep()
    assert letters(dsn, "old") == []
    past = "now() - interval '15 days'"
    change(dsn, f"UPDATE rec.release SET created_at = {past} WHERE dataset = 'quiet'")
    change(dsn, f"UPDATE rec.pointer SET since = {past} WHERE dataset = 'quiet'")
    with monkeypatch.context() as off:
        off.setenv("RECSYS_CHAMPION_DAYS", "0")
        sweep()
    assert letters(dsn, "old") == []
    sweep()
    sweep()
    (news,) = letters(dsn, "old")
    assert (news.dataset, news.what) == ("quiet", "nothing new for 14 days")
    assert "quiet is still served from release one" in news.sentences[1]


@pytest.mark.parametrize("status", ["published", "skipped"])
def test_no_good_release_for_too_long_is_told_once_and_its_end_too(
    post: Any, servers: dict[str, Any], status: str
) -> None:
    """A night that found nothing new is good; a rejected one is not."""
    dsn = servers["dsn"]
    slow = f"slow-{status}"
    record(slow, "slow-1", release="one")
    record(slow, "slow-2", gate=GATE)
    change(dsn, "TRUNCATE rec.message CASCADE")
    change(dsn, "UPDATE rec.run SET status = %s WHERE run = 'slow-1'", status)
    change(dsn, "UPDATE rec.run SET finished_at = now() - interval '25 hours' WHERE run = 'slow-1'")
    assert slow not in sweep()
    change(dsn, "UPDATE rec.run SET finished_at = now() - interval '27 hours' WHERE run = 'slow-1'")
    assert slow in sweep()
    sweep()
    (news,) = [letter for letter in letters(dsn, "overdue") if letter.dataset == slow]
    assert news.what == "no good release for 26 hours"
    assert news.sentences[0].startswith("The last good run ended at 20")
    record(slow, "slow-3", release="two")
    (good,) = letters(dsn, "recovered")
    assert good.what == "good again"
    assert good.sentences[0].startswith("Good again: overdue, first told 20")


def test_a_rejection_is_told_when_its_record_cannot_be_read(post: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be found out is named, and no password."""
    monkeypatch.setenv("AIRFLOW_CONN_METRICS_DB", "postgresql://metrics:very-secret@127.0.0.1:1/metrics")
    plain = render(write_letter(Stored(1, "k", "rejected", "films", "retrain_nightly", "night", {}))).text
    assert "The release that films is served from is not known." in plain
    assert "Not available: the record of the decision (OperationalError" in plain
    assert "very-secret" not in plain


@pytest.mark.parametrize("name", ["RECSYS_CHAMPION_DAYS", "RECSYS_OVERDUE_HOURS"])
def test_the_limits_are_numbers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anything else is said."""
    monkeypatch.setenv(name, "0")
    assert read_number(name, "14", "days") == 0
    monkeypatch.setenv(name, "two")
    with pytest.raises(ValueError, match=f"{name} is 'two', expected a whole number of days, or 0"):
        read_number(name, "14", "days")


def test_what_strangers_wrote_stays_text() -> None:
    """In the reason, in a value, and in the address."""
    evil = "<img src=x>\r\nBcc: everybody@example.org"
    news = Letter(evil, evil, "d", "r", 'http://a/"><img src=x>', [evil], evidence=[(evil, evil)], gaps=[evil])
    told = render(news)
    assert "<img" not in told.html
    for form in (told.subject, told.text, told.html, told.chat):
        assert not [row for row in form.splitlines() if row.startswith("Bcc")]
