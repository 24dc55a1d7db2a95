"""The whole system on a small catalogue: one stack for all tests, in a folder of its own, ended with everything it started."""

from __future__ import annotations

import email
import email.policy
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any, TypeVar

import pytest

from local.rest import FINISHED
from local.stack import Stack
from tasks.store import History, Store, open_store

ROOT = Path(__file__).resolve().parent.parent.parent
DATASET = "films"
ITEMS, VIEWERS = 60, 120
MODELS = ["popularity", "ease", "bpr"]
DEADLINE = 300.0  # seconds until whatever is waited for has to have happened; nothing here should take a third of it
SETTINGS = {
    "RECSYS_DATASET": DATASET,
    "RECSYS_MODELS": ",".join(MODELS),
    "RECSYS_ALERT_TO": "on-call@example.org",
}
T = TypeVar("T")


def wait_for(what: str, look: Callable[[], T | None]) -> T:
    """What `look` finds as soon as it finds something."""
    deadline = time.monotonic() + DEADLINE
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited {DEADLINE:.0f} s in vain for {what}"
        time.sleep(0.3)
    return found


@dataclass(frozen=True)
class Night:
    """One finished run of a DAG."""

    run: str
    state: str
    tasks: list[dict[str, Any]]

    def states(self) -> dict[str, str]:
        """Task, with what it is mapped over, -> state."""
        return {f"{t['task_id']} {t['rendered_map_index'] or ''}".strip(): t["state"] for t in self.tasks}

    def tries(self, task: str) -> int:
        """How often a task was tried."""
        return max(int(t["try_number"]) for t in self.tasks if t["task_id"] == task)


@dataclass(frozen=True)
class Site:
    """What an operator and a user can do."""

    stack: Stack
    store: Store
    history: History
    catalogue: Path

    def command(self, *words: str) -> dict[str, Any]:
        """Type a command; its closing line."""
        environment = os.environ | self.stack.environment()
        done = subprocess.run(
            [sys.executable, "-m", "tasks", *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    def films_arrive(self, first: int, count: int) -> Path:
        """New films, and the log of all views until then, as a user loads them."""
        folder = self.catalogue / f"from-{first}"
        numbers = ["--first-item", str(first), "--items", str(count), "--users", str(VIEWERS), "--opening", str(ITEMS)]
        self.command("demo-catalogue", "--out", str(folder), *numbers)
        self.command("load-media", str(folder), "--dataset", DATASET)
        self.command("load-interactions", str(folder / "interactions.csv"), "--dataset", DATASET)
        return folder

    def press_trigger(self, dag: str = "retrain_nightly", **form: Any) -> str:
        """As the button does; the run's name."""
        return self.stack.api().trigger(dag, form)

    def follow(self, run: str, dag: str = "retrain_nightly") -> Night:
        """Wait for the run's end."""
        api = self.stack.api()
        found = wait_for(f"the end of {run}", lambda: _finished(api.run(dag, run)))
        return Night(run, found["state"], api.tasks(dag, run))

    def night(self, **form: Any) -> Night:
        """Both."""
        return self.follow(self.press_trigger(**form))

    def mails(self) -> list[EmailMessage]:
        """Every mail that was sent, oldest first."""
        paths = sorted(self.stack.mails.glob("*.eml"))
        return [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in paths]


def _finished(run: dict[str, Any]) -> dict[str, Any] | None:
    return run if run["state"] in FINISHED else None


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A running stack with a catalogue in its store, `retrain_nightly` switched on and `ingest_media` still off."""
    folder = tmp_path_factory.mktemp("site")
    with Stack(ROOT, folder / "state", environment=SETTINGS, bound=True) as stack, pytest.MonkeyPatch.context() as patch:
        for name, value in stack.environment().items():
            if name.startswith("RECSYS_"):
                patch.setenv(name, value)
        with History(os.environ["RECSYS_METRICS_DSN"]) as history:
            history.migrate()
            site = Site(stack, open_store(), history, folder)
            site.films_arrive(0, ITEMS)
            for dag in ("retrain_nightly", "ingest_media"):
                stack.api().wait_for_dag(dag, DEADLINE)
            stack.api().unpause("retrain_nightly")
            yield site


@pytest.fixture(scope="session")
def first(site: Site) -> Night:
    """The first night."""
    return site.night()


@pytest.fixture(scope="session")
def second(site: Site, first: Night) -> Night:
    """The night after it, without anything new."""
    return site.night()


@pytest.fixture(scope="session")
def third(site: Site, second: Night) -> Night:
    """The night after three films arrived, with the views of their first week."""
    site.films_arrive(ITEMS, 3)
    return site.night()
