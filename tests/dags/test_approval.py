"""A run that needs a human's approval, through Airflow's own task runner and its record of questions."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.models.hitl import HITLDetail
from airflow.models.trigger import handle_event_submit
from airflow.sdk.exceptions import AirflowFailException
from airflow.triggers.base import TriggerEvent
from airflow.utils.session import create_session
from recsys import approval
from recsys.alerts import evidence
from recsys.alerts.letter import from_json
from recsys.alerts.news import write_rejection
from recsys.alerts.outbox import Note, Stored
from recsys.alerts.render import render
from recsys.approval import LONGEST_NAME, RESERVE, answer_of, last_moment, read_answer
from sqlalchemy import select

from tests.dags.test_decision_mails import COMPARED, GATE
from tests.dags.test_release import PROMOTED, events_of

if TYPE_CHECKING:
    from airflow.sdk import DAG

RunDag = Callable[..., Any]
WAITING = PROMOTED | {"published": False, "outcome": "waiting", "figures": "ndcg@20 .2497, not compared"}
ANSWERED = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
ADA = {"id": "7", "name": "Ada"}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[HITLDetail]:
    """Without a database of decisions; the questions that were asked."""
    monkeypatch.setattr(evidence, "read_record", lambda run: None)
    monkeypatch.setattr(evidence, "read_champion", lambda dataset: None)
    return []


def answer_with(
    monkeypatch: pytest.MonkeyPatch, asked: list[HITLDetail], choice: str, user: dict[str, str] | None
) -> None:
    """Answer the open question whenever the runner waits, as the page and the scheduler's timeout do."""

    def respond(_: float) -> None:
        with create_session() as session:
            for question in session.scalars(select(HITLDetail).where(HITLDetail.responded_at.is_(None))):
                question.chosen_options, question.responded_by, question.responded_at = [choice], user, ANSWERED
                event: Any = question.as_resume_event_payload(timedout=user is None)
                handle_event_submit(TriggerEvent(event), task_instance=question.task_instance, session=session)
                asked.append(question)

    monkeypatch.setattr(time, "sleep", respond)


def run_until_answered(run_dag: RunDag, retrain: DAG, closing: dict[str, Any]) -> Any:
    """A run whose `publish` waits, and whose `promote` ends with `closing`."""
    outcomes = {"publish": (0, "", WAITING), "promote": (0, "", WAITING | closing)}
    return run_dag(retrain, outcomes, models=["ease"], modalities=["text"], dataset="films")


def test_an_approval_reaches_promote_and_is_announced(
    run_dag: RunDag, retrain: DAG, asked: list[HITLDetail], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The question has the figures; who answered, and when, are single words of a command line."""
    answer_with(monkeypatch, asked, "Approve", ADA)
    ran = run_until_answered(run_dag, retrain, {"outcome": "promoted", "published": True, "by": "Ada"})
    assert ran.state == "success"
    (question,) = asked
    assert question.subject == "Serve hybrid for films?"
    assert question.options == ["Approve", "Reject"]
    assert "| release | s3://recsys/releases/films/1b2c |" in str(question.body)
    assert "| valid\\_ndcg@20 | 0.2497 |" in str(question.body)
    (promote,) = [command for command in ran.commands if command[0] == "promote"]
    said = ["--answer=approved", "--by=Ada", f"--at={ANSWERED.isoformat()}"]
    assert promote == ["promote", "--run", ran.run.run_id, *said]
    assert [name for name, _ in events_of(ran.run.run_id)] == ["release"]
    assert ran.note == "promoted hybrid, NDCG@20 .2497, not compared, approved by Ada"


@pytest.mark.parametrize(
    ("user", "said"), [(ADA, ["--answer=rejected", "--by=Ada"]), (None, ["--answer=unanswered", "--by="])]
)
def test_without_an_approval_nothing_is_announced(  # noqa: PLR0917  fixtures
    run_dag: RunDag,
    retrain: DAG,
    asked: list[HITLDetail],
    monkeypatch: pytest.MonkeyPatch,
    user: dict[str, str] | None,
    said: list[str],
) -> None:
    """A rejection, and what Airflow does when the time is over; the run's note and mail tell of `promote`."""
    answer_with(monkeypatch, asked, "Reject", user)
    closing = {"outcome": "rejected", "release": None, "reason": "rejected by Ada at 2026-03-01 09:30 UTC"}
    ran = run_until_answered(run_dag, retrain, closing)
    assert (ran.state, ran.states()["announce"]) == ("success", {"skipped"})
    assert [command[3:5] for command in ran.commands if command[0] == "promote"] == [said]
    assert ran.note == "rejected hybrid: rejected by Ada at 2026-03-01 09:30 UTC"


@pytest.mark.parametrize("outcome", ["promoted", "rejected"])
def test_nobody_is_asked_about_what_the_gate_decided(
    run_dag: RunDag, retrain: DAG, asked: list[HITLDetail], outcome: str
) -> None:
    """Both tasks are skipped; what became of the run does not depend on them."""
    ran = run_dag(retrain, {"publish": (0, "", PROMOTED | {"outcome": outcome})}, models=["ease"], modalities=["text"])
    states = ran.states()
    assert (ran.state, states["approve"], states["promote"]) == ("success", {"skipped"}, {"skipped"})
    assert states["announce"] == {"success" if outcome == "promoted" else "skipped"}


def test_a_run_that_ends_while_the_question_is_open_says_so(
    run_dag: RunDag, retrain: DAG, asked: list[HITLDetail], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For example because another release was served meanwhile: nothing is promoted or announced."""
    answer_with(monkeypatch, asked, "Approve", ADA)
    outcomes = {"publish": (0, "", WAITING), "promote": (2, "films is served from another release")}
    ran = run_dag(retrain, outcomes, models=["ease"], modalities=["text"])
    assert (ran.state, ran.states()["announce"]) == ("failed", {"upstream_failed"})
    waited = "hybrid waited for an answer, NDCG@20 .2497, not compared"
    assert ran.note.startswith(f"{waited}, failed at promote: promote ended")


def test_the_question_is_open_until_an_hour_before_the_run_is_ended(retrain: DAG) -> None:
    """So that `promote` can record that nobody answered."""
    started = datetime(2026, 3, 1, 2, tzinfo=UTC)
    context: Any = {"dag": retrain, "dag_run": SimpleNamespace(start_date=started)}
    assert retrain.dagrun_timeout is not None
    assert last_moment(context) == started + retrain.dagrun_timeout - RESERVE == started + timedelta(hours=19)


@pytest.mark.parametrize(
    ("forced", "verdict"),
    [(None, "accepts hybrid"), ("it is worse", "would reject hybrid, and force publishes it all the same")],
)
def test_a_mail_asks_for_the_answer(  # noqa: PLR0917  fixtures
    run_dag: RunDag,
    retrain: DAG,
    asked: list[HITLDetail],
    monkeypatch: pytest.MonkeyPatch,
    forced: str | None,
    verdict: str,
) -> None:
    """One, with the page where it is given; that a database is away is said, and the question is asked all the same."""
    told: list[Note] = []
    monkeypatch.setattr(approval, "announce", told.append)
    record = {"outcome": "waiting", "gate": GATE | {"comparison": {"known": COMPARED}, "forced": forced}}
    monkeypatch.setattr(evidence, "read_record", lambda run: record)

    def fail(dataset: str) -> None:
        raise OSError("the database is away")

    monkeypatch.setattr(evidence, "read_champion", fail)
    answer_with(monkeypatch, asked, "Approve", ADA)
    run_until_answered(run_dag, retrain, {"outcome": "promoted"})
    (note,) = told
    message = render(from_json(note.facts["letter"]))
    plain = message.text
    assert message.subject.startswith("[recsys] films: hybrid waits for approval (retrain_nightly, ")
    assert "/tasks/approve/required_actions" in plain
    for form in (plain, str(asked[0].body)):
        assert f"The gate {verdict}. It is served once it is approved. No answer by " in form
        assert "Not available: the release that is being served (OSError: the database is away)" in form
        assert "0.2301 against 0.2512: -0.0211 (-0.0310 to -0.0112), 1,234 users" in form


@pytest.mark.parametrize(
    ("user", "name"),
    [
        ({"id": "7", "name": "Zoë O'Neil-Smith <zoe@example.org>"}, "Zoë O'Neil-Smith _zoe@example.org_"),
        ({"id": "7", "name": "$(RECSYS_S3_SECRET_KEY)"}, "__RECSYS_S3_SECRET_KEY_"),
        ({"id": "7", "name": "--by\r\nBcc: all {{ 1 }}"}, "--by Bcc_ all __ 1 __"),
        ({"id": "7", "name": ""}, "7"),
        ({"id": "\n", "name": "\n"}, "unnamed"),
        ({"id": "7", "name": "x" * 1000}, "x" * LONGEST_NAME),
    ],
)
def test_a_name_is_only_a_name(user: dict[str, str], name: str) -> None:
    """It becomes part of a command line, of mails and of notes."""
    response = {"chosen_options": ["Approve"], "responded_by_user": user, "responded_at": ANSWERED}
    assert read_answer(response) == {"answer": "approved", "by": name, "at": ANSWERED.isoformat()}


def test_marking_the_question_as_answered_is_no_answer() -> None:
    """Success by hand leaves nothing that `promote` could record."""
    with pytest.raises(AirflowFailException, match="task approve has no answer, expected one: clear it"):
        answer_of(SimpleNamespace(xcom_pull=lambda task_ids: None))


def test_a_humans_rejection_is_one_mail(retrain: DAG, monkeypatch: pytest.MonkeyPatch) -> None:
    """As that of the gate, with the reason that was recorded, also where no closing line is known."""
    monkeypatch.setattr(evidence, "read_champion", lambda dataset: None)
    gate = GATE | {"reason": "rejected by Ada <b> at 2026-03-01 09:30 UTC"}
    record = {"outcome": "rejected", "model": "hybrid", "release": None, "gate": gate}
    monkeypatch.setattr(evidence, "read_record", lambda run: record)
    news = write_rejection(Stored(1, "k", "rejected", "films", "retrain_nightly", "night", {}))
    assert news.what == "hybrid rejected"
    assert news.sentences[0] == "hybrid was not published: rejected by Ada <b> at 2026-03-01 09:30 UTC."
