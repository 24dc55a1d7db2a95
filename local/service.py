"""Base class of the servers of the stack: how they are started, watched and ended."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from local.errors import StackError
from local.ports import HOST
from local.processes import MARK, Identity, alive, end, family, spawn
from local.state import Daemon, State

LAST_LINES = 15
# Settings of other installations in the caller's shell must not reach our servers.
FOREIGN = ("AIRFLOW", "PG", "AWS_", "RECSYS_", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "S3_")


class Service(ABC):
    """One server process with its settings, its log and its entry in the state."""

    name: ClassVar[str]  # name in the state and of its log
    title: ClassVar[str]  # name in messages
    deadline: ClassVar[float] = 60.0  # seconds until it must be ready; the slowest start seen lasted a tenth of it
    grace: ClassVar[float] = 10.0  # seconds between asking it to end and killing it
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, state: State, *, bound: bool = False) -> None:
        """`bound`: the server ends with the process that started it, even if that is killed."""
        self.state = state
        self.bound = bound
        self._fresh = False  # whether the last launch started it

    def prepare(self) -> None:  # noqa: B027  most have nothing to prepare
        """Do one-time work before a start; safe to repeat."""

    def claim_ports(self) -> None:
        """Choose free ports before a start."""
        self.state.claim_port(self.name)

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command line."""

    def settings(self) -> Mapping[str, str]:
        """Return variables that override the inherited environment."""
        return {}

    def prefix(self) -> list[str]:
        """Return a command prefix that sets up the process."""
        return ["setpriv", "--pdeathsig", self.stop_signal.name.removeprefix("SIG"), "--"] if self.bound else []

    def folder(self) -> Path:
        """Return the working folder of the server, closed to other users."""
        folder = self.state.folder / self.name
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    @abstractmethod
    def ready(self) -> bool:
        """Whether the server now answers as expected."""

    @property
    def log(self) -> Path:
        """File with the output of the server."""
        return self.state.logs / f"{self.name}.log"

    @property
    def identity(self) -> Identity | None:
        """The running process; None if it is not running."""
        daemon = self.state.daemon(self.name)
        return daemon.identity if daemon is not None and alive(daemon.identity) else None

    def outdated(self) -> bool:
        """Whether it was last started with other settings than it would be now."""
        daemon = self.state.daemon(self.name)
        return daemon is None or daemon.settings != self._fingerprint()

    def launch(self) -> bool:
        """Start the server unless it runs with the same settings; returns whether it was started."""
        self._fresh = False
        if self.identity is None:
            self.stop()  # child processes that a killed server left behind
            self.claim_ports()
        elif not self.outdated():
            return False
        else:
            self.stop()
        self.prepare()
        identity = spawn(
            [*self.prefix(), *self.command()],
            log=self.log,
            environment=inherit_environment() | {MARK: self.state.mark} | dict(self.settings()),
            cwd=self.folder(),
        )
        self.state.remember_daemon(self.name, Daemon(identity=identity, settings=self._fingerprint()))
        self._fresh = True
        return True

    def wait(self) -> None:
        """Wait until it is ready; raises StackError with the last log lines if it ends or exceeds `deadline`.

        One that was running and ends is started anew: it may be ending because it lost a server that is back by now.
        """
        limit = time.monotonic() + self.deadline
        while not self.ready():
            if self.identity is None and not self._fresh:
                self.launch()
            if self.identity is None:
                raise StackError(f"{self.title} ended while starting; {self.last_lines()}")
            if time.monotonic() > limit:
                raise StackError(f"{self.title} was not ready after {self.deadline:.0f} s; {self.last_lines()}")
            time.sleep(0.1)

    def stop(self) -> bool:
        """End the server and all its children; returns whether anything was running."""
        ended = self.shut()
        self.state.remember_daemon(self.name, None)
        return ended

    def shut(self) -> bool:
        """End the server like `stop`, but leave the state unchanged: first the leader, then remaining children."""
        daemon = self.state.daemon(self.name)
        members = family(daemon.identity) if daemon is not None else set()
        if daemon is None or not members:
            return False
        end([daemon.identity], grace=self.grace, number=self.stop_signal)
        end(members | family(daemon.identity), grace=3.0)
        return True

    def last_lines(self) -> str:
        """Return the end of the log, with its path."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines() if self.log.exists() else []
        return f"the last lines of {self.log}:\n" + "\n".join(f"  {line}" for line in lines[-LAST_LINES:])

    def _fingerprint(self) -> str:
        wanted = json.dumps([self.command(), sorted(self.settings().items())])
        return hashlib.sha256(wanted.encode()).hexdigest()


def inherit_environment() -> dict[str, str]:
    """Return the caller's environment without settings of other installations, and with no proxy for loopback."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    for name in ("no_proxy", "NO_PROXY"):
        kept[name] = ",".join(filter(None, [kept.get(name, ""), HOST, "localhost"]))
    return kept


@contextmanager
def running(service: Service) -> Iterator[None]:
    """Run one service for the length of the block."""
    with service.state.lock():
        service.launch()
    try:
        service.wait()
        yield
    finally:
        service.stop()
