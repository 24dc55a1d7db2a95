"""Processes and servers that are killed in the middle of a run, under a real scheduler, and `make local-up`."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from local.processes import send, wait_ended
from local.service import Service
from tasks.store import History
from tests.e2e.site import Night, Site
from tests.e2e.test_failures import processes_of
from tests.waiting import wait_for

pytestmark = pytest.mark.drill
AWAY = 20.0  # seconds without the server: what notices does so within them
Record = Callable[[str, object], None]


def kill(server: Service) -> None:
    """As the kernel does that has no memory left."""
    leader = server.identity
    assert leader is not None
    send(leader, signal.SIGKILL)
    assert wait_ended([leader], 30) == set()


def start_again(site: Site) -> None:
    """What `make local-up` does, once; it raises if it does not heal everything. The history's connection is new."""
    site.stack.start()
    assert {state.partition(",")[0] for state in site.stack.status().values()} == {"ready"}
    site.history.close()
    site.history = History(site.stack.environment()["RECSYS_METRICS_DSN"])


def interrupt(site: Site, task: str, harm: Callable[[list[int]], None], record_property: Record) -> Night:
    """A forced run during whose `task` something is killed, and how it ended; what is served stays until then."""
    before = site.history.champion(site.dataset)
    run = site.press_trigger(force=True)
    pids = wait_for(f"{task} to run", lambda: processes_of(run, task))
    begun = time.monotonic()
    harm(pids)
    assert site.history.champion(site.dataset) == before
    night = site.follow(run)
    record_property("recovered", time.monotonic() - begun)
    return night


def metrics_of(site: Site, night: Night) -> list[tuple[object, ...]]:
    """Model -> number of figures of a run."""
    return site.rows("SELECT model, count(*) FROM rec.metric WHERE run = %s GROUP BY model ORDER BY model", night.run)


def assert_ended_well(site: Site, night: Night, first: Night) -> None:
    """A success with all figures once, no mail of a failure, and the release is whole (`publish` reads it in full)."""
    assert night.state == "success"
    assert metrics_of(site, night) == metrics_of(site, first)
    assert [mail["Subject"] for mail in night.mails if "failed" in mail["Subject"]] == []


@pytest.mark.fault("F1")
def test_a_training_that_is_killed_is_tried_again(site: Site, first: Night, record_property: Record) -> None:
    """By SIGKILL, as for want of memory: one more try after a minute, and no mail of a failure."""

    def harm(pids: list[int]) -> None:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    night = interrupt(site, "train", harm, record_property)
    assert_ended_well(site, night, first)
    assert night.tries("train") == 2
    assert night.tries("publish") == 1


@pytest.mark.fault("F2")
def test_a_scheduler_that_is_killed_while_a_task_runs_goes_on(
    site: Site, first: Night, record_property: Record
) -> None:
    """The command it had started ends by itself or is tried again; the run ends well."""

    def harm(pids: list[int]) -> None:
        kill(site.stack.scheduler)
        start_again(site)

    night = interrupt(site, "extract", harm, record_property)
    assert_ended_well(site, night, first)
    assert night.tries("extract") <= 2


@pytest.mark.fault("F9")
def test_a_database_that_is_killed_during_a_training_is_healed_by_one_start(
    site: Site, first: Night, record_property: Record
) -> None:
    """Airflow's database and the metrics: parts of Airflow end without it, and the first start brings back all."""

    def harm(pids: list[int]) -> None:
        kill(site.stack.postgres)
        time.sleep(AWAY)
        start_again(site)

    night = interrupt(site, "train", harm, record_property)
    assert_ended_well(site, night, first)


@pytest.mark.fault("F11")
def test_a_store_that_is_killed_during_extract_is_a_fault_that_is_tried_again(
    site: Site, first: Night, record_property: Record
) -> None:
    """After the store is back the next try goes on from the cache."""

    def harm(pids: list[int]) -> None:
        kill(site.stack.s3)
        wait_for("a try to be lost", lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
        start_again(site)

    night = interrupt(site, "extract", harm, record_property)
    assert_ended_well(site, night, first)
    assert night.tries("extract") == 2


@pytest.mark.fault("F20")
def test_a_failed_run_without_callback_and_mail_server_is_told_once(
    site: Site, first: Night, record_property: Record
) -> None:
    """The watchdog tells what the stopped DAG processor cannot, and it is sent when the mail server is back."""
    (processor,) = (part.identity for part in site.stack.parts if part.name == "dag-processor")
    assert processor is not None
    failed = "SELECT failed_attempts FROM rec.alert WHERE run = %s AND failed_attempts > 0"
    kill(site.stack.mail)
    run = site.press_trigger(dataset="nothing")
    send(processor, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        wait_for("a try to send", lambda: site.rows(failed, run))
        site.stack.mail.launch()
        site.stack.mail.wait()
        night = site.follow(run, expect_mail=True)
        record_property("recovered", time.monotonic() - begun)
    finally:
        send(processor, signal.SIGCONT)
    time.sleep(AWAY)
    assert night.state == "failed"
    told = [mail["Subject"] for mail in [*night.mails, *site.follow(run).mails] if run in mail["Subject"]]
    assert told == [f"[recsys] nothing: scan failed (retrain_nightly, {run})"]
