"""Processes by identity: a pid together with its start time, so that a recycled pid is never taken for ours.

Reads /proc, so Linux only; signals go through pidfds, so that nothing can happen between the check and the signal.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

MARK = "RECSYS_STACK"  # environment variable that every process of a stack inherits
_PROC = Path("/proc")
_CHILDREN: set[int] = set()  # started by this process and not reaped yet


class Identity(BaseModel):
    """One process, and none that gets its pid later."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pid: int = Field(gt=1)
    started: int = Field(description="clock ticks since boot, field 22 of /proc/PID/stat")
    boot: str = Field(description="which boot of the machine")


@dataclass(frozen=True)
class Process:
    """One line of the process table."""

    identity: Identity
    parent: int
    session: int


def process(pid: int) -> Process | None:
    """The running process `pid`; None when there is none, or when it has ended and only waits to be reaped."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()  # the name before it may hold anything, blanks and brackets too
    if fields[0] in {"Z", "X"}:
        return None
    identity = Identity.model_construct(pid=pid, started=int(fields[19]), boot=_boot())
    return Process(identity, parent=int(fields[1]), session=int(fields[3]))


def table() -> dict[int, Process]:
    """All running processes by pid."""
    found = (process(int(entry.name)) for entry in _PROC.iterdir() if entry.name.isdigit() and entry.name != "1")
    return {p.identity.pid: p for p in found if p is not None}


def alive(identity: Identity) -> bool:
    """Whether exactly this process is running."""
    now = process(identity.pid)
    if now is None:
        _reap(identity.pid)
    return now is not None and now.identity == identity


def spawn(command: Sequence[str], *, log: Path, environment: Mapping[str, str], cwd: Path) -> Identity:
    """Start a server in a session of its own, its output in `log`; what was in `log` moves to `<log>.old`."""
    if log.exists():
        log.replace(log.with_name(log.name + ".old"))
    with log.open("wb") as output:
        child = subprocess.Popen(
            list(command),
            env=dict(environment),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    child.returncode = 0  # not true, but a server outlives this object, which would complain about that
    _CHILDREN.add(child.pid)
    # Our own child keeps its pid until it is reaped, so it can be read even when it has ended at once.
    started = process(child.pid)
    return started.identity if started else Identity(pid=child.pid, started=0, boot=_boot())


def family(leader: Identity) -> set[Identity]:
    """`leader`, all that descends from it, and all that is left in its session when it has ended itself."""
    processes = table()
    current = processes.get(leader.pid)
    if current is not None and current.identity != leader:
        return set()  # the pid was recycled, which the kernel does only when nothing of the session is left
    if leader.boot != _boot():
        return set()
    members = {pid for pid, p in processes.items() if p.session == leader.pid} | ({leader.pid} & processes.keys())
    while more := {pid for pid, p in processes.items() if p.parent in members} - members:
        members |= more
    return {processes[pid].identity for pid in members}


def marked(mark: str) -> set[Identity]:
    """All processes that carry `mark` in their environment: also those whose parents have ended."""
    wanted = f"{MARK}={mark}".encode()
    found = set()
    for pid, entry in table().items():
        try:
            environment = (_PROC / str(pid) / "environ").read_bytes()
        except OSError:  # another user's, or it has ended
            continue
        if wanted in environment.split(b"\0"):
            found.add(entry.identity)
    return found - ({own.identity} if (own := process(os.getpid())) else set())


def send(identity: Identity, number: signal.Signals) -> bool:
    """Signal exactly this process; False when it has ended."""
    try:
        descriptor = os.pidfd_open(identity.pid)
    except OSError:
        return False
    try:
        if not alive(identity):
            return False
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def wait_ended(identities: Iterable[Identity], seconds: float) -> set[Identity]:
    """Wait until all have ended, `seconds` at most; returns those that have not."""
    deadline = time.monotonic() + seconds
    left = {identity for identity in identities if alive(identity)}
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = {identity for identity in left if alive(identity)}
    return left


def end(identities: Iterable[Identity], *, grace: float, number: signal.Signals = signal.SIGTERM) -> None:
    """Signal all of them, wait `grace` seconds, and kill what is left."""
    asked = {identity for identity in identities if send(identity, number)}
    for identity in wait_ended(asked, grace):
        send(identity, signal.SIGKILL)
    wait_ended(asked, 10.0)


def _reap(pid: int) -> None:
    """Take an ended child out of the process table, so that its pid can be given away again."""
    if pid in _CHILDREN:
        try:
            ended = os.waitpid(pid, os.WNOHANG)[0] == pid
        except ChildProcessError:  # another thread has waited for it
            ended = True
        if ended:
            _CHILDREN.discard(pid)


def _boot() -> str:
    return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
