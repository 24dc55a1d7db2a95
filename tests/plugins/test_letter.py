"""The alert as a letter: what it says, and that nothing a file's name can hold does any harm in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from recsys.alerts.evidence import Champion, Failure
from recsys.alerts.letter import MOST, Alert, FailedTask, markup, subject, text

if TYPE_CHECKING:
    from recsys.alerts.letter import Alert


@pytest.fixture
def alert() -> Alert:
    """A failed validation."""
    return Alert(
        dag="retrain_nightly",
        run="scheduled__2026-03-01T02:00:00+00:00",
        run_url="http://airflow.test/dags/retrain_nightly/runs/r",
        dataset="films",
        reason="task_failure",
        tasks=[FailedTask("check-dataset", "2 of 9 failed", "http://airflow.test/log?a=1&b=2", try_number=1, tries=4)],
        failures=[
            Failure(
                "dataset", "coverage", "item_id", "at least 0.9", "0.2", 800, 1000, tuple(f"tt{n}" for n in range(14))
            ),
            Failure("dataset", "id space", None, "ids as the media's", "0 to 59", None, None, ()),
        ],
        champion=Champion("r-7", "vbpr", "scheduled__2026-02-27", datetime(2026, 2, 27, 3, 4, tzinfo=UTC)),
    )


def test_it_says_all_that_the_person_on_call_has_to_know(alert: Alert) -> None:
    """In both forms: dataset, run and link, task and tries, each expectation and its values, ids, what is served."""
    facts = [
        "films",
        "scheduled__2026-03-01T02:00:00+00:00",
        alert.run_url,
        "check-dataset",
        "try 1, not retried",
        "2 of 9 failed",
    ]
    facts += ["coverage on item_id (dataset)", "at least 0.9", "0.2", "800 of 1000", "id space (dataset)", "0 to 59"]
    facts += ["This run published nothing", "release r-7", "model vbpr", "2026-02-27 03:04 UTC", "tt0, tt1, ", "tt9"]
    for form in (text(alert), markup(alert)):
        assert [fact for fact in facts if fact not in form] == []
        assert "tt10" not in form


def test_a_fault_says_how_often_it_was_tried(alert: Alert) -> None:
    """All tries were needed: it was not given up early."""
    spent = replace(alert, tasks=[replace(alert.tasks[0], try_number=4)])
    assert ", try 4 of 4" in text(spent)
    assert "not retried" not in text(spent)


def test_the_subject_names_dataset_matter_and_run(alert: Alert) -> None:
    """It is all that a telephone shows."""
    run = f"(retrain_nightly, {alert.run})"
    assert subject(alert) == f"[recsys] films: validation failed, 2 expectations {run}"
    assert (
        subject(replace(alert, failures=alert.failures[:1]))
        == f"[recsys] films: validation failed, 1 expectation {run}"
    )
    assert subject(replace(alert, failures=[])) == f"[recsys] films: check-dataset failed {run}"
    assert (
        subject(replace(alert, failures=[], tasks=alert.tasks * 3))
        == f"[recsys] films: check-dataset and 2 more failed {run}"
    )
    assert (
        subject(replace(alert, failures=[], tasks=[], reason="timed_out"))
        == f"[recsys] films: run ended: timed_out {run}"
    )


def test_without_a_champion_it_says_that_nothing_is_served(alert: Alert) -> None:
    """And it does not say so when it only could not find out."""
    assert "The release that films is served from does not exist yet." in text(replace(alert, champion=None))
    blind = text(replace(alert, champion=None, gaps=["the release that is being served (OperationalError: away)"]))
    assert "The release that films is served from is not known." in blind
    assert "Not available: the release that is being served (OperationalError: away)" in blind


def test_a_failure_after_the_promotion_does_not_deny_it(alert: Alert) -> None:
    """Such as one of `announce`, when the release is served already."""
    assert alert.champion is not None
    late = text(replace(alert, champion=replace(alert.champion, run=alert.run)))
    assert "films is served from release r-7" in late
    assert "published nothing" not in late


def test_a_subject_is_no_longer_than_servers_take(alert: Alert) -> None:
    """What comes first is what matters: dataset and matter stay."""
    found = subject(replace(alert, run="r" * 300))
    assert found.startswith("[recsys] films: validation failed, 2 expectations (retrain_nightly, rrr")
    assert len(found) == 200


def test_a_count_of_nothing_is_a_fact(alert: Alert) -> None:
    """It is not left out as a count that nobody made is."""
    counted = replace(alert.failures[0], unexpected_count=0)
    assert "0 of 1000" in text(replace(alert, failures=[counted]))
    assert "count" not in text(replace(alert, failures=alert.failures[1:]))


def test_addresses_of_links_are_escaped(alert: Alert) -> None:
    """An address with two parameters is one attribute, whatever is in it."""
    evil = replace(alert, run_url='http://airflow.test/"><img src=x>')
    assert 'href="http://airflow.test/log?a=1&amp;b=2"' in markup(evil)
    assert "<img" not in markup(evil)


def test_strangers_text_stays_text(alert: Alert) -> None:
    """An item may be called anything: no markup, no line of its own, no header of the mail."""
    evil = "<img src=x onerror=alert(1)>\r\nBcc: everybody@example.org\x1b[2J\u202e"
    failure = replace(alert.failures[0], expected=evil, observed=evil, sample_ids=(evil,))
    letter = replace(alert, dataset=evil, failures=[failure], tasks=[replace(alert.tasks[0], error=evil, name=evil)])
    assert "<img" not in markup(letter)
    for form in (subject(letter), text(letter), markup(letter)):
        assert not [row for row in form.splitlines() if row.startswith("Bcc")]
        assert all(c.isprintable() or c == "\n" for c in form)


def test_a_flood_of_failures_is_cut_and_counted(alert: Alert) -> None:
    """A mail is for reading."""
    flood = replace(alert, failures=alert.failures[:1] * (MOST + 7), tasks=alert.tasks * (MOST + 1))
    for form in (text(flood), markup(flood)):
        assert form.count("coverage on item_id") == MOST
        assert "Not shown here: 7 more expectations" in form
        assert "Not shown here: 1 more tasks" in form
