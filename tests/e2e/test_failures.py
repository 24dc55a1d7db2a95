"""What happens when a night goes wrong: who is told, what is served, and that nothing is left running."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import pytest

from tests.e2e.site import Night, Site
from tests.waiting import wait_for

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def renumbered(site: Site, third: Night) -> Night:
    """A night after somebody loaded a log whose items were numbered 0..n-1; the right log is put back afterwards."""
    right = site.catalogue / f"from-{site.items}" / "interactions.csv"
    log = pd.read_csv(right)
    log["item_id"] = log["item_id"].astype("category").cat.codes
    wrong = site.catalogue / "renumbered.csv"
    log.to_csv(wrong, index=False)
    site.command("load-interactions", str(wrong), "--dataset", site.dataset)
    night = site.night(expect_mail=True)
    site.command("load-interactions", str(right), "--dataset", site.dataset)
    return night


def failures(site: Site, night: Night) -> list[tuple[Any, ...]]:
    """What the history holds against a night."""
    statement = """
        SELECT expectation, column_name, expected, observed, unexpected_count, sample_ids
        FROM rec.validation_failures WHERE run = %s
    """
    return site.rows(statement, night.run)


@pytest.mark.fault("F6")
def test_a_broken_contract_ends_the_night_before_training_at_the_first_try(site: Site, renumbered: Night) -> None:
    """The check that fails is not tried again, and nothing behind it runs."""
    assert renumbered.state == "failed"
    assert renumbered.states()["check-embeddings"] == "failed"
    assert renumbered.tries("check-embeddings") == 1
    for box in ("prepare", "check-dataset", "train", "evaluate", "refit", "publish"):
        assert renumbered.states()[box] == "upstream_failed"


@pytest.mark.fault("F6")
def test_one_mail_says_all_about_a_broken_contract(site: Site, renumbered: Night, third: Night) -> None:
    """Dataset, run, link, each failed expectation with expected, observed, count and ids, and what is served."""
    (mail,) = renumbered.mails
    assert mail["To"] == "on-call@example.org"
    found = failures(site, renumbered)
    assert "id_spaces_agree" in [failure[0] for failure in found]
    page = f"{site.stack.url}/dags/retrain_nightly/runs/{quote(renumbered.run, safe='')}"
    facts = [site.dataset, renumbered.run, page, "check-embeddings", str(third.champion)]
    for expectation, column, expected, observed, count, ids in found:
        facts += [f"{expectation} on {column}", expected, observed, f"{count} of", ", ".join(ids)]
        assert len(ids) <= 10
    for part in mail.iter_parts():
        content = " ".join(html.unescape(part.get_content()).split())
        assert [fact for fact in facts if " ".join(fact.split()) not in content] == []


def test_a_broken_contract_changes_nothing_that_is_served(site: Site, renumbered: Night, third: Night) -> None:
    """Same champion, no metrics of a model that was never trained, and the history says that the run failed."""
    assert renumbered.champion == third.champion
    assert site.rows("SELECT 1 FROM rec.training WHERE run = %s", renumbered.run) == []
    assert site.rows("SELECT status FROM rec.run WHERE run = %s", renumbered.run) == [("failed",)]


def test_marking_a_running_box_as_failed_ends_its_processes_and_mails_once(site: Site, renumbered: Night) -> None:
    """As in the UI: no process of the box outlives it, and the mail says that it left no reason behind."""
    api = site.stack.api()
    run = site.press_trigger(force=True)
    pids = wait_for("check-embeddings to run", lambda: processes_of(run, "check-embeddings"))
    instance = f"/dags/retrain_nightly/dagRuns/{quote(run, safe='')}/taskInstances/check-embeddings"
    api.patch(instance, {"new_state": "failed"})
    wait_for("its processes to end", lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
    night = site.follow(run, expect_mail=True)
    assert night.state == "failed"
    (mail,) = night.mails
    assert "check-embeddings failed" in mail["Subject"]


def processes_of(run: str, task: str) -> list[int]:
    """The processes that work for a task of a run, by the mark that the launcher gives them."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue
        if f"|{run}|{task}|".encode() in environment:
            found.append(int(folder.name))
    return found
