"""The alert as a letter: what it says, and that nothing a file's name can hold does any harm in it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from recsys.alerts.evidence import Champion, Failure
from recsys.alerts.letter import FailedTask, Letter, describe_serving, from_json, name_failure, to_json
from recsys.alerts.render import LIMITS, VARIABLE, render

MOST = LIMITS["most"]
RUN = "scheduled__2026-03-01T02:00:00+00:00"
CHAMPION = Champion("r-7", "vbpr", "scheduled__2026-02-27", datetime(2026, 2, 27, 3, 4, tzinfo=UTC))


def subject(letter: Letter) -> str:
    """The subject."""
    return render(letter).subject


def text(letter: Letter) -> str:
    """Plain text."""
    return render(letter).text


def markup(letter: Letter) -> str:
    """HTML."""
    return render(letter).html


@pytest.fixture
def alert() -> Letter:
    """A failed validation."""
    return Letter(
        what="validation failed, 2 expectations",
        dag="retrain_nightly",
        run=RUN,
        run_url="http://airflow.test/dags/retrain_nightly/runs/r",
        dataset="films",
        sentences=[describe_serving("films", CHAMPION, RUN, known=True)],
        tasks=[FailedTask("check-dataset", "2 of 9 failed", "http://airflow.test/log?a=1&b=2", try_number=1, tries=4)],
        failures=[
            Failure(
                "dataset", "coverage", "item_id", "at least 0.9", "0.2", 800, 1000, tuple(f"tt{n}" for n in range(14))
            ),
            Failure("dataset", "id space", None, "ids as the media's", "0 to 59", None, None, ()),
        ],
    )


def test_it_says_all_that_the_person_on_call_has_to_know(alert: Letter) -> None:
    """In both forms: dataset, run and link, task and tries, each expectation and its values, ids, what is served."""
    facts = [
        "films",
        "scheduled__2026-03-01T02:00:00+00:00",
        "http://airflow.test/dags/retrain_nightly/runs/r",
        "check-dataset",
        "try 1, not retried",
        "2 of 9 failed",
    ]
    facts += ["coverage on item_id (dataset)", "at least 0.9", "0.2", "800 of 1000", "id space (dataset)", "0 to 59"]
    facts += ["This run published nothing", "release r-7", "model vbpr", "2026-02-27 03:04 UTC", "tt0, tt1, ", "tt9"]
    for form in (text(alert), markup(alert)):
        assert [fact for fact in facts if fact not in form] == []
        assert "tt10" not in form


def test_a_fault_says_how_often_it_was_tried(alert: Letter) -> None:
    """All tries were needed: it was not given up early."""
    spent = replace(alert, tasks=[replace(alert.tasks[0], try_number=4)])
    assert ", try 4 of 4" in text(spent)
    assert "not retried" not in text(spent)


def test_the_subject_names_dataset_matter_and_run(alert: Letter) -> None:
    """It is all that a telephone shows."""
    assert subject(alert) == f"[recsys] films: validation failed, 2 expectations (retrain_nightly, {RUN})"
    tasks, failures = alert.tasks, alert.failures
    assert name_failure(tasks, failures, "") == "validation failed, 2 expectations"
    assert name_failure(tasks, failures[:1], "") == "validation failed, 1 expectation"
    assert name_failure(tasks, [replace(failures[0], severity="warning")], "") == "check-dataset failed"
    assert name_failure(tasks * 3, [], "") == "check-dataset and 2 more failed"
    assert name_failure([], [], "timed_out") == "run ended: timed_out"


def test_without_a_champion_it_says_that_nothing_is_served() -> None:
    """And it does not say so when it only could not find out."""
    nothing = "This run published nothing. The release that films is served from"
    assert describe_serving("films", None, RUN, known=True) == f"{nothing} does not exist yet."
    assert describe_serving("films", None, RUN, known=False) == f"{nothing} is not known."


def test_a_failure_after_the_promotion_does_not_deny_it() -> None:
    """Such as one of `announce`, when the release is served already."""
    late = describe_serving("films", replace(CHAMPION, run=RUN), RUN, known=True)
    assert late.startswith("films is served from release r-7")


def test_a_letter_is_the_same_after_it_lay_in_the_outbox(alert: Letter) -> None:
    """As JSON in a table."""
    full = replace(alert, evidence=[("ndcg@20", ".25")], links=[("page", "http://a")], gaps=["x"])
    assert render(from_json(json.loads(json.dumps(to_json(full))))) == render(full)


def test_a_person_may_write_the_templates(alert: Letter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file of the folder goes before the one of the same name that is built in."""
    (tmp_path / "subject.txt.j2").write_text("{{ letter.dataset }} is ill", encoding="utf-8")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert subject(alert) == "films is ill"
    assert "coverage on item_id" in text(alert)


@pytest.mark.parametrize("wrong", ["{{ letter.nothing }}", "{% if %}", "{{ ''.__class__.mro() }}", "{{ 1 / 0 }}"])
def test_a_template_that_is_wrong_is_no_reason_for_silence(
    alert: Letter, wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The built-in ones are used, and the message says what was wrong with the others."""
    (tmp_path / "mail.txt.j2").write_text(wrong, encoding="utf-8")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert "Not available: your own templates (RECSYS_ALERT_TEMPLATES): " in text(alert)
    assert "coverage on item_id" in text(alert)


def test_chats_have_what_matters_in_a_few_lines(alert: Letter) -> None:
    """What, the tasks, five expectations with ids, and the run; nobody is mentioned by an item's name."""
    evil = replace(alert.failures[0], sample_ids=("<!channel>",))
    chat = render(replace(alert, failures=[evil, *alert.failures * 3])).chat
    assert chat.startswith("*films: validation failed, 2 expectations*\n")
    assert "coverage on item_id (dataset): expected at least 0.9, observed 0.2 (&lt;!channel&gt;)" in chat
    assert "and 2 more expectations" in chat
    assert chat.endswith("http://airflow.test/dags/retrain_nightly/runs/r")


def test_a_subject_is_no_longer_than_servers_take(alert: Letter) -> None:
    """What comes first is what matters: dataset and matter stay."""
    found = subject(replace(alert, run="r" * 300))
    assert found.startswith("[recsys] films: validation failed, 2 expectations (retrain_nightly, rrr")
    assert len(found) == 200


def test_a_count_of_nothing_is_a_fact(alert: Letter) -> None:
    """It is not left out as a count that nobody made is."""
    counted = replace(alert.failures[0], unexpected_count=0)
    assert "0 of 1000" in text(replace(alert, failures=[counted]))
    assert "count" not in text(replace(alert, failures=alert.failures[1:]))


def test_addresses_of_links_are_escaped(alert: Letter) -> None:
    """An address with two parameters is one attribute, whatever is in it."""
    evil = replace(alert, run_url='http://airflow.test/"><img src=x>')
    assert 'href="http://airflow.test/log?a=1&amp;b=2"' in markup(evil)
    assert "<img" not in markup(evil)


def test_strangers_text_stays_text(alert: Letter) -> None:
    """An item may be called anything: no markup, no line of its own, no header of the mail."""
    evil = "<img src=x onerror=alert(1)>\r\nBcc: everybody@example.org\x1b[2J\u202e"
    failure = replace(alert.failures[0], expected=evil, observed=evil, sample_ids=(evil,))
    letter = replace(alert, dataset=evil, failures=[failure], tasks=[replace(alert.tasks[0], error=evil, name=evil)])
    assert "<img" not in markup(letter)
    for form in (subject(letter), text(letter), markup(letter)):
        assert not [row for row in form.splitlines() if row.startswith("Bcc")]
        assert all(c.isprintable() or c == "\n" for c in form)


def test_a_flood_of_failures_is_cut_and_counted(alert: Letter) -> None:
    """A mail is for reading."""
    flood = replace(alert, failures=alert.failures[:1] * (MOST + 7), tasks=alert.tasks * (MOST + 1))
    for form in (text(flood), markup(flood)):
        assert form.count("coverage on item_id") == MOST
        assert "Not shown here: 7 more expectations" in form
        assert "Not shown here: 1 more tasks" in form
