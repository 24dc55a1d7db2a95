"""A run that `make local-down` interrupts: who says so, and that starting again costs nothing."""

from __future__ import annotations

import re

import pytest

from local.__main__ import down
from local.demo import LOADED, demo
from local.errors import StackError
from local.stack import Stack
from tasks.store import History
from tests.e2e.site import ROOT, SETTINGS, Night, Site
from tests.waiting import wait_for

pytestmark = pytest.mark.e2e


def test_an_interrupted_run_is_named_and_goes_on_after_the_next_start(
    site: Site, third: Night, capsys: pytest.CaptureFixture[str]
) -> None:
    """The scheduler starts when the API server answers, so no try is lost to an API server that is not there."""
    stack = site.stack
    run = site.press_trigger(force=True)
    wait_for("a task to run", lambda: at_work(site, run))
    capsys.readouterr()
    assert down(stack) == 0
    assert f"Interrupted retrain_nightly, run {run}: it goes on at the next start" in capsys.readouterr().out

    answered: dict[str, bool] = {}
    again = Stack(
        ROOT,
        stack.state.folder,
        environment=SETTINGS,
        bound=True,
        say=lambda line: answered.update({line.partition(":")[0]: bool(stack.api().health())}),
    )
    again.start()
    assert answered["Airflow's scheduler"]
    assert not answered["Airflow's API server"]
    stack.state.reload()
    site.history.close()  # its connection ended with the server
    site.history = History(stack.environment()["RECSYS_METRICS_DSN"])

    stack.state.remember_fact(LOADED, str(site.items))
    with pytest.raises(
        StackError, match=re.escape(f"run {run} is not finished, expected") + ".*`make demo` follows it"
    ):
        demo(stack, new_films=True)

    night = site.follow(run)
    assert night.state == "success"
    tries = [(task["task_id"], task["try_number"]) for task in night.tasks]
    assert max(number for _, number in tries) <= 2, tries  # what was interrupted begins again
    later = [number for name, number in tries if name in {"train", "evaluate", "publish"}]
    assert set(later) == {1}, tries


def at_work(site: Site, run: str) -> bool:
    """Whether a task of the run is running."""
    return any(task["state"] == "running" for task in site.stack.api().tasks("retrain_nightly", run))
