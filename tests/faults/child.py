"""A command in a process of its own, which can die at any moment: by the clock, or at the nth operation.

Processes are forked from one that has imported everything and computed nothing, so that a command costs what it does
and not seconds of imports. Operations are what changes the store (each call; of a folder also each fsync, rename and
removal) and the transactions of the database. A process can die before and after each, and before a commit.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psycopg2.extensions
import pytest

import tasks.__main__ as program
from tasks.store import FolderStore
from tasks.store.database import Database
from tasks.store.s3 import S3Store
from tests.faults.world import use_encoders

WRITES = ("put", "put_file", "replace", "copy", "move", "delete")
LONGEST = 900.0  # seconds; a command takes a hundredth of it
FORKS = multiprocessing.get_context("forkserver")
LATE = ("great_expectations", "great_expectations.expectations", "pyarrow.parquet")  # imported when used
FORKS.set_forkserver_preload([__name__, *(target.partition(":")[0] for target in program.COMMANDS.values()), *LATE])


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code, negative for a signal; operations are known of one that was not killed."""

    code: int
    seconds: float
    operations: int
    result: Any = None


class Trap:
    """Counts operations, and kills this process at number `at`."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.count = 0

    def step(self) -> None:
        """One moment between two operations."""
        self.count += 1
        if self.count == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    def wrap(self, owner: Any, name: str) -> None:
        """Let calls of a function be operations."""
        function = getattr(owner, name)

        def called(*arguments: Any, **options: Any) -> Any:
            self.step()
            result = function(*arguments, **options)
            self.step()
            return result

        setattr(owner, name, called)

    def set(self) -> None:
        """Be in the way of everything that is kept."""
        for kind in (FolderStore, S3Store):
            for name in WRITES:
                self.wrap(kind, name)
        for owner, name in ((os, "fsync"), (Path, "replace"), (Path, "unlink")):
            self.wrap(owner, name)
        transaction = Database._transaction

        @contextmanager
        def watched(database: Database) -> Iterator[psycopg2.extensions.cursor]:
            with transaction(database) as sql:
                yield sql
                self.step()  # before it is committed
            self.step()

        Database._transaction = watched  # type: ignore[method-assign]


def type_command(words: Sequence[str], at: int, answer: Connection) -> None:
    """Be `python -m tasks ...`, until operation `at`."""
    use_encoders(pytest.MonkeyPatch())
    trap = Trap(at)
    trap.set()
    answer.send(None)  # from here on it may be killed by the clock
    code = program.main(list(words))
    answer.send((trap.count, None))
    program.end(code)


def call(function: Callable[..., Any], arguments: Sequence[Any], answer: Connection) -> None:
    """Do anything else in a process of its own: what it read or downloaded goes with it."""
    answer.send(None)
    answer.send((0, function(*arguments)))
    program.end(0)


def _begin(target: Callable[..., None], log: Path, settings: Mapping[str, str], arguments: Sequence[Any]) -> None:
    for name in [name for name in os.environ if name.startswith("RECSYS_")]:
        del os.environ[name]  # those of whoever forked first
    os.environ.update(settings)
    time.tzset()
    with log.open("ab", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.argv = ["python -m tasks"]
    target(*arguments)


def own_settings() -> dict[str, str]:
    """Those of this process, for a child that works in the same place."""
    return {name: value for name, value in os.environ.items() if name.startswith("RECSYS_")}


def fork(
    log: Path, settings: Mapping[str, str], target: Callable[..., None], *arguments: Any, seconds: float = LONGEST
) -> Ended:
    """Run `target` in a process, with its output in `log`, and kill it after `seconds`."""
    ours, theirs = FORKS.Pipe(duplex=False)
    process = FORKS.Process(target=_begin, args=(target, log, settings, (*arguments, theirs)))
    process.start()
    theirs.close()
    facts: tuple[int, Any] = (0, None)
    begun = time.monotonic()
    try:
        ours.recv()
        begun = time.monotonic()
        if ours.poll(seconds):
            facts = ours.recv()
        else:
            process.kill()
    except EOFError:  # it was killed, or raised: its exit code says so
        pass
    process.join()
    return Ended(process.exitcode or 0, time.monotonic() - begun, *facts)
