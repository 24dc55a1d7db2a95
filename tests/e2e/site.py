"""What an operator and a user of the running system can do, and what they see."""

from __future__ import annotations

import email
import email.policy
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import psycopg2

from local.rest import FINISHED
from local.stack import Stack
from tasks.store import History, Store, open_store
from tests.waiting import DEADLINE, wait_for

ROOT = Path(__file__).resolve().parent.parent.parent
DATASET = "films"
ITEMS, VIEWERS = 40, 120
MODELS = ("popularity", "bpr")
SETTINGS = {
    "RECSYS_DATASET": DATASET,
    "RECSYS_MODELS": ",".join(MODELS),
    "RECSYS_ALERT_TO": "on-call@example.org",
    "RECSYS_OVERDUE_HOURS": "0",
    "RECSYS_CHAMPION_DAYS": "0",  # the history page shows nights of a fixed month
    "RECSYS_CONSOLE_URL": "http://console.test/browser/recsys/",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,viewer:viewer",
}


@dataclass(frozen=True)
class Night:
    """One finished run of a DAG, and how things stood when it had ended."""

    run: str
    state: str
    tasks: list[dict[str, Any]]
    champion: str | None
    mails: list[EmailMessage]  # sent since the run began

    def states(self) -> dict[str, str]:
        """Task, with what it is mapped over, -> state."""
        return {f"{t['task_id']} {t['rendered_map_index'] or ''}".strip(): t["state"] for t in self.tasks}

    def tries(self, task: str) -> int:
        """How often a task was tried."""
        return max(int(t["try_number"]) for t in self.tasks if t["task_id"] == task)


@dataclass
class Site:
    """What an operator and a user can do."""

    stack: Stack
    store: Store
    history: History
    catalogue: Path
    dataset: str = DATASET
    items: int = ITEMS
    models: tuple[str, ...] = MODELS
    mails_seen: int = 0

    def command(self, *words: str) -> dict[str, Any]:
        """Type a command; its closing line."""
        done = subprocess.run(
            [sys.executable, "-m", "tasks", *words],
            cwd=ROOT,
            env=os.environ | self.stack.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    def films_arrive(self, first: int, count: int) -> None:
        """New films, and the log of all views until then, as a user loads them."""
        folder = self.catalogue / f"from-{first}"
        numbers = ["--first-item", str(first), "--items", str(count), "--users", str(VIEWERS), "--opening", str(ITEMS)]
        self.command("demo-catalogue", "--out", str(folder), *numbers)
        self.command("load-media", str(folder), "--dataset", DATASET)
        self.command("load-interactions", str(folder / "interactions.csv"), "--dataset", DATASET)

    def press_trigger(self, dag: str = "retrain_nightly", **form: object) -> str:
        """As the button does; the run's name."""
        return self.stack.api().trigger(dag, form)

    def follow(self, run: str, dag: str = "retrain_nightly", *, expect_mail: bool = False) -> Night:
        """Wait for the run's end, and for the mail about it: that is written by another process, later."""
        api = self.stack.api()
        wait_for(
            f"the end of {run}", lambda: api.run(dag, run)["state"] in FINISHED, explain=lambda: api.tasks(dag, run)
        )
        if expect_mail:
            wait_for("a mail", lambda: len(self._mails()) > self.mails_seen)
        mails = self._mails()[self.mails_seen :]
        self.mails_seen += len(mails)
        champion = self.history.champion(DATASET)
        state = api.run(dag, run)["state"]
        return Night(run, state, api.tasks(dag, run), champion.release if champion else None, mails)

    def night(self, dag: str = "retrain_nightly", *, expect_mail: bool = False, **form: object) -> Night:
        """Trigger and follow."""
        return self.follow(self.press_trigger(dag, **form), dag, expect_mail=expect_mail)

    def runs(self, dag: str, kind: str | None = None) -> list[str]:
        """The runs of a DAG, of one kind: manual, scheduled or asset_triggered."""
        found = self.stack.api().get(f"/dags/{dag}/dagRuns?limit=100")["dag_runs"]
        return [run["dag_run_id"] for run in found if kind in (None, run["run_type"])]

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """What the metrics database answers."""
        with closing(psycopg2.connect(os.environ["RECSYS_METRICS_DSN"])) as database, database.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall()

    def _mails(self) -> list[EmailMessage]:
        paths = sorted(self.stack.mails.glob("*.eml"))
        return [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in paths]


@contextmanager
def open_site(folder: Path, set_variable: Callable[[str, str], None]) -> Iterator[Site]:
    """Start a stack in `folder` and load a catalogue; this process gets the stack's settings by `set_variable`."""
    with Stack(ROOT, folder / "state", environment=SETTINGS, bound=True) as stack:
        settings = {name: value for name, value in stack.environment().items() if name.startswith("RECSYS_")}
        for name, value in settings.items():
            set_variable(name, value)
        with History(settings["RECSYS_METRICS_DSN"]) as history:
            history.migrate()
            site = Site(stack, open_store(), history, folder)
            site.films_arrive(0, site.items)
            for dag in ("retrain_nightly", "ingest_media"):
                stack.api().wait_for_dag(dag, DEADLINE)
            stack.api().unpause("retrain_nightly")
            yield site
