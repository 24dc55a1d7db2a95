"""Runs that need a human's approval, in a real scheduler: the question, and the answer over Airflow's REST API."""

from __future__ import annotations

import re
import time
from typing import Any
from urllib.parse import quote, unquote

import pytest

from local.rest import RefusedError
from tests.e2e.site import Night, Site
from tests.waiting import wait_for

pytestmark = pytest.mark.e2e
READING = 5.0  # seconds
SHORTS = "shorts"  # a dataset of its own: the nights of the other tests do not see these decisions
FORM = {"dataset": SHORTS, "models": ["popularity"], "approval": "required"}


def path_of(run: str) -> str:
    """The question of a run."""
    return f"/dags/retrain_nightly/dagRuns/{quote(run, safe='')}/taskInstances/approve/-1/hitlDetails"


def wait_for_question(site: Site, run: str) -> dict[str, Any]:
    """The question, once the task waits without a slot of a worker."""
    api = site.stack.api()

    def waits() -> bool:
        states = {task["task_id"]: task["state"] for task in api.tasks("retrain_nightly", run)}
        return states["approve"] == "awaiting_input"

    wait_for(f"the question of {run}", waits, explain=lambda: api.tasks("retrain_nightly", run))
    question: dict[str, Any] = api.get(path_of(run))
    return question


def give_answer(site: Site, run: str, choice: str) -> None:
    """As a human does, who reads first: an answer in the second of the question can overtake Airflow's own bookkeeping.

    The scheduler then takes the end of the first half of the task for that of the second half, and asks again.
    """
    time.sleep(READING)
    site.stack.api().patch(path_of(run), {"chosen_options": [choice]})


def served(site: Site) -> str | None:
    """The release of the shorts that is served."""
    champion = site.history.champion(SHORTS)
    return champion.release if champion else None


@pytest.fixture(scope="module")
def approved(site: Site) -> tuple[Night, dict[str, Any]]:
    """The first run of the shorts, and its question, which was approved when nothing was served yet."""
    folder = site.catalogue / "from-0"
    site.command("load-media", str(folder), "--dataset", SHORTS)
    site.command("load-interactions", str(folder / "interactions.csv"), "--dataset", SHORTS)
    run = site.press_trigger(**FORM)
    question = wait_for_question(site, run)
    assert served(site) is None
    give_answer(site, run, "Approve")
    return site.follow(run), question


def test_the_question_has_the_evidence(site: Site, approved: tuple[Night, dict[str, Any]]) -> None:
    """What would be served, its figures, and until when an answer counts; one mail asked for it."""
    night, question = approved
    decision = site.history.decision(night.run)
    assert decision is not None
    assert (question["subject"], question["options"]) == ("Serve popularity for shorts?", ["Approve", "Reject"])
    facts = [f"s3://recsys/releases/shorts/{decision.release}", "nothing is served yet", "arrivals", "means no"]
    assert [fact for fact in facts if fact not in question["body"]] == []
    (mail,) = night.mails
    assert "shorts: popularity waits for approval" in mail["Subject"]


def test_approved_is_served_and_the_row_says_who_and_when(site: Site, approved: tuple[Night, dict[str, Any]]) -> None:
    """As do the note of the run, and Airflow's own record of the question."""
    night, _ = approved
    assert night.state == "success"
    assert {box: night.states()[box] for box in ("publish", "approve", "promote", "announce")} == dict.fromkeys(
        ("publish", "approve", "promote", "announce"), "success"
    )
    decision = site.history.decision(night.run)
    assert decision is not None
    assert (decision.outcome, decision.answered_by) == ("promoted", "admin")
    assert served(site) == decision.release
    answered = site.stack.api().get(path_of(night.run))
    assert answered["responded_by_user"]["name"] == "admin"
    assert str(decision.answered_at)[:19] == answered["responded_at"][:19].replace("T", " ")
    assert "approved by admin at" in decision.gate["reason"]
    note = site.stack.api().run("retrain_nightly", night.run)["note"]
    assert re.match(r"promoted popularity, NDCG@20 \.\d{4}, not compared, approved by admin, ", note)


def test_rejected_is_not_served_and_is_one_mail(site: Site, approved: tuple[Night, dict[str, Any]]) -> None:
    """The run is a success; a second answer is refused."""
    before, api = served(site), site.stack.api()
    run = site.press_trigger(**FORM, force=True, force_publish=True, seed=8)
    question = wait_for_question(site, run)
    assert "published by force, although" in question["body"] or "against the champion" in question["body"]
    assert served(site) == before
    give_answer(site, run, "Reject")
    with pytest.raises(RefusedError, match="409"):
        api.patch(path_of(run), {"chosen_options": ["Approve"]})
    night = site.follow(run)
    mails = [*night.mails]
    while len(mails) < 2:
        mails += site.follow(run, expect_mail=True).mails
    assert (night.state, night.states()["announce"], served(site)) == ("success", "skipped", before)
    decision = site.history.decision(run)
    assert decision is not None
    assert (decision.outcome, decision.release, decision.answered_by) == ("rejected", None, "admin")
    assert decision.answered_at is not None
    assert site.rows("SELECT status FROM rec.run WHERE run = %s", run) == [("rejected",)]
    assert api.run("retrain_nightly", run)["note"].startswith("rejected popularity: rejected by admin at ")
    asked, told = mails
    assert "shorts: popularity waits for approval" in asked["Subject"]
    assert "shorts: popularity rejected" in told["Subject"]
    for part in told.iter_parts():
        assert "rejected by admin at" in part.get_content()


def test_each_task_links_to_what_it_made(site: Site, approved: tuple[Night, dict[str, Any]]) -> None:
    """The console's address of a folder or file that is in the store; a task without a release has no link to one."""
    night, _ = approved
    found: dict[str, dict[str, str]] = {}
    for task in night.tasks:
        instance = f"/dags/retrain_nightly/dagRuns/{quote(night.run, safe='')}/taskInstances/{task['task_id']}"
        links = site.stack.api().get(f"{instance}/links?map_index={task['map_index']}")["extra_links"]
        history = links.pop("History", "") or ""
        assert (quote(night.run, safe="") in history) == ("Artefact" in links and bool(links["Artefact"]))
        found[f"{task['task_id']} {task['rendered_map_index'] or ''}".strip()] = {k: v for k, v in links.items() if v}
    start = "http://console.test/browser/recsys/"
    for links in found.values():
        for url in links.values():
            path = unquote(url.removeprefix(start))
            assert url == start + quote(path, safe="")
            site.store.stat(path if path.endswith(".json") else f"{path}manifest.json")
    decision = site.history.decision(night.run)
    assert decision is not None
    release = {"Release": start + quote(f"releases/{SHORTS}/{decision.release}/", safe="")}
    assert {name for name, links in found.items() if links.items() >= release.items()} == {"publish", "promote"}
    reports = {name for name, links in found.items() if "Report" in links}
    assert reports == {"check-embeddings", "check-dataset", "evaluate popularity", "refit", "publish", "promote"}
    without = {name for name, links in found.items() if "Artefact" not in links}
    assert without == {"features", "models", "approve", "announce"}
