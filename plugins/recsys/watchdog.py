"""The watchdog: a process beside Airflow's own that sees what its scheduler and callbacks cannot tell.

    python -m recsys.watchdog STATE

Twice a minute it looks for failed runs whose callback did not tell of them, DAG files that cannot be parsed, components
that fell silent, and datasets without a good release for too long; it says when they are well again, and sends what
others could not. STATE is a file with its last look, for the health check. If the databases themselves do not answer it
says so by every channel, once, without the outbox.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recsys.alerts import observe, outbox
from recsys.alerts.letter import Letter
from recsys.alerts.outbox import Note, transaction
from recsys.alerts.post import send_due, send_everywhere
from recsys.alerts.render import render
from recsys.alerts.sweep import sweep

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

log = logging.getLogger("recsys.watchdog")
EVERY = 30.0  # seconds
STARTING = timedelta(minutes=5)  # in which the components of Airflow start as well
BLIND = timedelta(minutes=5)  # after which it says that it sees nothing
DATASETS = "SELECT run, dataset FROM rec.run WHERE run = ANY(%s)"
TOLD = "SELECT key FROM rec.message WHERE key = ANY(%s)"


@dataclass
class Watchdog:
    """What it remembers from look to look."""

    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    seen: datetime = field(default_factory=lambda: datetime.now(UTC))  # when it last saw everything
    blind: bool = False

    def look(self, now: datetime) -> dict[str, Any]:
        """Look once, tell, and send; returns the state for the health check. Nothing that fails here ends it."""
        state: dict[str, Any] = {"at": now.timestamp(), "started": self.started.timestamp(), "overdue": []}
        try:
            state["overdue"] = self._observe(now)
        except Exception as error:
            log.exception("this look saw nothing")
            state["error"] = f"{type(error).__name__}: {error}".splitlines()[0]
            self._tell_blind(now, error)
        else:
            self.seen, self.blind = now, False
            _, state["unsent"] = send_due()
        return state

    def _observe(self, now: datetime) -> list[str]:
        from airflow.utils.session import create_session  # noqa: PLC0415  reads Airflow's settings

        with create_session(scoped=False) as session:
            notes = list_untold(session, now)
            settle_others("unparsed", tell_all(observe.list_unparsed(session, now)))
            if now - self.started >= STARTING:
                settle_others("silent", tell_all(observe.list_silent(session, now)))
        tell_all(notes)
        return sweep(now)

    def _tell_blind(self, now: datetime, error: Exception) -> None:
        if self.blind or now - self.seen < BLIND:
            return
        self.blind = True
        letter = Letter(
            what="the watchdog sees nothing",
            sentences=[
                f"Since {self.seen:%Y-%m-%d %H:%M:%S %Z} the watchdog can read neither Airflow's database nor metrics.",
                "What is wrong, and what is not, cannot be told until they answer.",
                f"{type(error).__name__}: {error}",
            ],
        )
        send_everywhere(render(letter), f"blind/{self.seen.isoformat()}")


def list_untold(session: Session, now: datetime) -> list[Note]:
    """Return messages about failed runs that nobody told of, for example because their callback was killed."""
    runs = observe.list_failed_runs(session, now)
    with transaction() as sql:
        sql.execute(TOLD, ([run.key for run in runs],))
        told = {key for (key,) in sql.fetchall()}
        sql.execute(DATASETS, ([run.run for run in runs],))
        datasets = dict(sql.fetchall())
    return [
        observe.write_run(session, run, str(run.conf.get("dataset") or datasets.get(run.run) or "unknown dataset"))
        for run in runs
        if run.key not in told
    ]


def tell_all(notes: list[Note]) -> set[str]:
    """Write messages to the outbox; returns what they are about."""
    for note in notes:
        if outbox.tell(note):
            log.warning("told: %s", note.key)
    return {note.scope for note in notes}


def settle_others(kind: str, bad: set[str]) -> None:
    """Say of everything that was bad and is not among `bad` that it is good again."""
    for scope in outbox.open_scopes(kind):
        if scope not in bad:
            outbox.settle(scope)


def save(state: dict[str, Any], path: Path) -> None:
    """Write the state of the last look, whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(state), encoding="utf-8")
    part.replace(path)


def main() -> None:
    """Look until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True)
    if len(sys.argv) != 2:
        sys.exit(f"{len(sys.argv) - 1} arguments found, expected one: the file for the state of the last look")
    path = Path(sys.argv[1])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    watchdog = Watchdog()
    while True:
        save(watchdog.look(datetime.now(UTC)), path)
        time.sleep(EVERY)


if __name__ == "__main__":
    main()
