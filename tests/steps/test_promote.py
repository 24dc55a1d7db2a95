"""`promote`: a release that waits is served when a human approves it, and then alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg2
import pytest

from tasks.__main__ import main
from tasks.errors import BadInput, NotFound
from tasks.releases.server import ReleaseServer
from tasks.steps.promote import promote
from tasks.steps.publish import publish
from tasks.steps.rollback import rollback
from tasks.store import History, Store, has_artefact, read_artefact, release_prefix
from tests.steps.night import DATASET, reach_publish

pytestmark = pytest.mark.services
ASKED = {"approval": "required", "tolerance": 0.5}  # so that the gate accepts whatever it can compare
WHEN = "2026-03-01T09:30:00+00:00"


def served(history: History) -> str | None:
    """The release that is served."""
    champion = history.champion(DATASET)
    return champion.release if champion else None


def ask(store: Store, history: History, run: str, **options: Any) -> dict[str, object]:
    """A run whose release waits."""
    reach_publish(store, history, run, {"ease": 0.3}, rules=ASKED, **options)
    return publish(run=run)


def test_what_needs_an_approval_is_made_and_not_served(folder_store: Store, history: History) -> None:
    """The release is whole and can be tried; nothing is decided, and the next `scan` sees that."""
    found = ask(folder_store, history, "r1")
    release = str(found["release"])
    assert (found["outcome"], found["published"], found["reason"]) == ("waiting", False, "nothing is served yet")
    assert found["uri"] == f"{folder_store.url}/releases/{DATASET}/{release}"
    assert served(history) is None
    assert history.last_decision(DATASET) is None
    assert read_artefact(folder_store, "runs/r1/publish").json("decision.json")["outcome"] == "waiting"
    assert ReleaseServer(read_artefact(folder_store, release_prefix(DATASET, release))).recommend("viewer 1", k=3)
    waiting = history.decision("r1")
    assert waiting is not None
    assert (waiting.outcome, waiting.release, waiting.answered_by) == ("waiting", release, None)


def test_approved_is_served_with_who_and_when(folder_store: Store, history: History, metrics_dsn: str) -> None:
    """In the row, in the reason that mails and notes say, and in the report that stays with the release."""
    waiting = ask(folder_store, history, "r1")
    found = promote(run="r1", answer="approved", by="Ada Lovelace", at=WHEN)
    said = "nothing is served yet; approved by Ada Lovelace at 2026-03-01 09:30 UTC"
    assert found == waiting | {"outcome": "promoted", "published": True, "reason": said, "by": "Ada Lovelace"}
    champion, decision = history.champion(DATASET), history.decision("r1")
    assert champion is not None
    assert decision is not None
    assert (champion.release, champion.gate["reason"]) == (waiting["release"], said)
    assert (decision.outcome, decision.answered_by) == ("promoted", "Ada Lovelace")
    assert decision.answered_at is not None
    assert decision.answered_at.isoformat() == WHEN
    assert history.last_decision(DATASET) == decision
    kept = read_artefact(folder_store, "runs/r1/promote").json("decision.json")
    assert (kept["outcome"], kept["answered_by"], kept["gate"]["reason"]) == ("promoted", "Ada Lovelace", said)
    with psycopg2.connect(metrics_dsn) as database, database.cursor() as sql:
        sql.execute("SELECT status FROM rec.run WHERE run = 'r1'")
        assert sql.fetchall() == [("published",)]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--answer", "rejected", "--by=-x"], "rejected by -x at 2026-03-01 09:30 UTC"),
        (["--answer", "unanswered"], "nobody had answered by 2026-03-01 09:30 UTC whether to approve it"),
    ],
)
def test_without_an_approval_nothing_is_served(
    folder_store: Store, history: History, options: Sequence[str], reason: str
) -> None:
    """A rejection, and a question that nobody answered; both are decisions, which the next `scan` is told."""
    reach_publish(folder_store, history, "r0", {"ease": 0.3})
    before = publish(run="r0")["release"]
    ask(folder_store, history, "r1", log_seed=1)
    reach = ["promote", "--run", "r1", *options, f"--at={WHEN}"]
    assert main(reach) == 0
    assert main(reach) == 0  # a repeated task
    assert served(history) == before
    decision = history.last_decision(DATASET)
    assert decision is not None
    assert (decision.run, decision.outcome, decision.release) == ("r1", "rejected", None)
    assert decision.gate["reason"] == reason
    assert decision.gate["comparison"]


def test_an_answer_can_be_repeated_and_not_changed(folder_store: Store, history: History) -> None:
    """A retried task ends the same, also after a rollback, which it does not undo."""
    reach_publish(folder_store, history, "r0", {"ease": 0.3})
    before = publish(run="r0")["release"]
    ask(folder_store, history, "r1", users=125)
    first = promote(run="r1", answer="approved", by="Ada", at=WHEN)
    moved = history.champion(DATASET)
    assert promote(run="r1", answer="approved", by="Ada") == first
    assert history.champion(DATASET) == moved
    with pytest.raises(BadInput, match="run r1 was promoted already, by Ada, expected a release that waits"):
        promote(run="r1", answer="rejected", by="Bob")
    with pytest.raises(BadInput, match="run r1 was promoted already, by Ada"):
        promote(run="r1", answer="approved", by="Bob")
    rollback(dataset=DATASET)
    promote(run="r1", answer="approved", by="Ada")
    assert served(history) == before


def test_publishing_an_approved_run_again_asks_nobody_and_forgets_nobody(folder_store: Store, history: History) -> None:
    """Its release is what is served; after a rejection, in contrast, the question is asked anew."""
    ask(folder_store, history, "r1")
    promote(run="r1", answer="approved", by="Ada", at=WHEN)
    assert publish(run="r1")["outcome"] == "promoted"
    decision = history.decision("r1")
    assert decision is not None
    assert decision.answered_by == "Ada"
    ask(folder_store, history, "r2", users=125)
    promote(run="r2", answer="rejected", by="Ada")
    assert publish(run="r2")["outcome"] == "waiting"
    decision = history.decision("r2")
    assert decision is not None
    assert (decision.answered_by, decision.answered_at) == (None, None)
    assert promote(run="r2", answer="approved", by="Bob")["published"]


@pytest.mark.parametrize("change", ["promoted", "rolled back"])
def test_an_approval_holds_for_the_champion_that_was_compared_with(
    folder_store: Store, history: History, change: str
) -> None:
    """If another is served meanwhile, the figures that the human saw say nothing about it."""
    reach_publish(folder_store, history, "r0", {"ease": 0.3})
    publish(run="r0")
    reach_publish(folder_store, history, "r1", {"ease": 0.3}, users=125, rules={"tolerance": 0.5})
    publish(run="r1")
    waiting = ask(folder_store, history, "r2", users=130)
    assert waiting["outcome"] == "waiting"
    if change == "promoted":
        reach_publish(folder_store, history, "r3", {"ease": 0.3}, users=135, rules={"tolerance": 0.5})
        publish(run="r3")
    else:
        rollback(dataset=DATASET)
    now = served(history)
    with pytest.raises(BadInput, match=f"served from {now}, expected .* compared: publish run r2 again"):
        promote(run="r2", answer="approved", by="Ada")
    assert served(history) == now
    decision = history.decision("r2")
    assert decision is not None
    assert decision.outcome == "waiting"


def test_who_is_overtaken_at_the_same_moment_changes_nothing(
    folder_store: Store, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the champion and its move, another answer is recorded."""
    ask(folder_store, history, "r1")
    answer = History.answer

    def overtaken(self: History, *arguments: Any) -> bool:
        monkeypatch.setattr(History, "answer", answer)
        promote(run="r1", answer="rejected", by="Bob")
        return answer(self, *arguments)

    monkeypatch.setattr(History, "answer", overtaken)
    with pytest.raises(BadInput, match="the release of run r1 was decided, or the champion of films changed"):
        promote(run="r1", answer="approved", by="Ada")
    assert served(history) is None


def test_a_rejection_by_the_gate_asks_nobody(folder_store: Store, history: History) -> None:
    """It is a decision already; nor is anybody asked about what was published without a question."""
    reach_publish(folder_store, history, "r1", {"ease": 0.3})
    publish(run="r1")
    reach_publish(folder_store, history, "r3", {"popularity": 0.9}, rules=ASKED | {"tolerance": 0.0}, log_seed=1)
    found = publish(run="r3")
    assert (found["outcome"], found["release"]) == ("rejected", None)
    with pytest.raises(BadInput, match="run r3 was rejected already, by nobody's answer"):
        promote(run="r3", answer="rejected", by="Ada")
    with pytest.raises(BadInput, match="run r1 was promoted already, by nobody's answer"):
        promote(run="r1", answer="approved", by="Ada")


def test_a_release_that_is_gone_is_not_served(folder_store: Store, history: History) -> None:
    """Approved or not."""
    release = ask(folder_store, history, "r1")["release"]
    folder_store.delete(f"{release_prefix(DATASET, str(release))}/manifest.json")
    assert not has_artefact(folder_store, release_prefix(DATASET, str(release)))
    with pytest.raises(NotFound, match=f"{release} is not in"):
        promote(run="r1", answer="approved", by="Ada")
    assert served(history) is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--answer", "approved"], "--answer approved found with --by '', expected a name unless unanswered"),
        (["--answer", "unanswered", "--by", "Ada"], "--answer unanswered found with --by 'Ada'"),
        (["--answer", "approved", "--by", "x" * 101], "has 101 characters, expected at most 100"),
        (["--answer", "approved", "--by", "Ada\nBcc: all"], "expected at most 100, all printable"),
        (["--answer", "approved", "--by", "Ada", "--at", "soon"], "--at 'soon' found, expected a time such as 2026"),
        (["--answer", "approved", "--by", "Ada", "--at", "2026-03-01"], "has no time zone"),
        (["--answer", "perhaps", "--by", "Ada"], "perhaps"),
        (["--answer", "approved", "--by", "Ada"], "run r1 has no decision, expected `publish` to have left"),
    ],
)
def test_what_is_no_answer_is_refused(
    folder_store: Store, history: History, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    """As bad input, in one sentence."""
    assert main(["promote", "--run", "r1", *options]) == 2
    assert said in capsys.readouterr().err
