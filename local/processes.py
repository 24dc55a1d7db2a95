"""Processes by identity: a pid together with its start time, so that a recycled pid is never mistaken for ours.

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
    """Identity of one process; differs from that of a later process with the same pid."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pid: int = Field(gt=1)
    started: int = Field(description="clock ticks since boot, field 22 of /proc/PID/stat")
    boot: str = Field(description="boot id of the machine")


@dataclass(frozen=True)
class Process:
    """One entry of the process table."""

    identity: Identity
    parent: int
    session: int


def process(pid: int) -> Process | None:
    """Return the running process `pid`; None if there is none, or if it is a zombie."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()  # the name before it may contain anything, also blanks and brackets
    if fields[0] in {"Z", "X"}:
        return None
    identity = Identity.model_construct(pid=pid, started=int(fields[19]), boot=_boot())
    return Process(identity, parent=int(fields[1]), session=int(fields[3]))


def table() -> dict[int, Process]:
    """Return all running processes by pid."""
    every = (process(int(entry.name)) for entry in _PROC.iterdir() if entry.name.isdigit() and entry.name != "1")
    return {p.identity.pid: p for p in every if p is not None}


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
    child.returncode = 0  # not true, but Popen would warn about a child that outlives this object
    _CHILDREN.add(child.pid)
    # Our own child keeps its pid until it is reaped, so it can be read even if it has already ended.
    started = process(child.pid)
    return started.identity if started else Identity(pid=child.pid, started=0, boot=_boot())


def family(leader: Identity) -> set[Identity]:
    """Return `leader`, its descendants, and the rest of its session (also after it has ended)."""
    processes = table()
    current = processes.get(leader.pid)
    if current is not None and current.identity != leader:
        return set()  # the pid was recycled, which happens only after the whole session has ended
    if leader.boot != _boot():
        return set()
    members = {pid for pid, p in processes.items() if p.session == leader.pid} | ({leader.pid} & processes.keys())
    while more := {pid for pid, p in processes.items() if p.parent in members} - members:
        members |= more
    return {processes[pid].identity for pid in members}


def find_marked(mark: str) -> set[Identity]:
    """Return all processes with `mark` in their environment, also those whose parents have ended."""
    wanted = f"{MARK}={mark}".encode()
    identities = set()
    for pid, entry in table().items():
        try:
            environment = (_PROC / str(pid) / "environ").read_bytes()
        except OSError:  # another user's, or it has ended
            continue
        if wanted in environment.split(b"\0"):
            identities.add(entry.identity)
    return identities - ({own.identity} if (own := process(os.getpid())) else set())


def send(identity: Identity, number: signal.Signals) -> bool:
    """Send a signal to exactly this process; returns False if it has ended."""
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
    """Wait at most `seconds` until all have ended; returns those still running."""
    deadline = time.monotonic() + seconds
    left = {identity for identity in identities if alive(identity)}
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = {identity for identity in left if alive(identity)}
    return left


def end(identities: Iterable[Identity], *, grace: float, number: signal.Signals = signal.SIGTERM) -> None:
    """Send a signal to all, wait at most `grace` seconds, and kill those still running."""
    asked = {identity for identity in identities if send(identity, number)}
    for identity in wait_ended(asked, grace):
        send(identity, signal.SIGKILL)
    wait_ended(asked, 10.0)


def _reap(pid: int) -> None:
    """Reap an ended child, so that its pid can be used again."""
    if pid in _CHILDREN:
        try:
            ended = os.waitpid(pid, os.WNOHANG)[0] == pid
        except ChildProcessError:  # another thread has waited for it
            ended = True
        if ended:
            _CHILDREN.discard(pid)


def _boot() -> str:
    return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
