"""Launcher `process`: a command of the task package as a child process, without a container engine."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from recsys.launch.lines import LONGEST_LINE, Lines, Output
from recsys.launch.outcome import settle
from recsys.launch.settings import MEDIA_COMMANDS, RUN_URL, find_secret, hide_secrets, require_setting
from recsys.links import run_url
from recsys.made import LINKS

if TYPE_CHECKING:
    from airflow.sdk import Context

MARK = "RECSYS_TASK"  # environment variable with the task instance of a process
UNBUFFERED = "PYTHONUNBUFFERED"  # so that lines are logged at once, not in blocks of 8 KiB
GRACE = 3.0  # seconds between TERM and KILL; Airflow kills the task's process 5 s after its TERM
DRAIN = 5.0  # seconds to read the rest of the pipes if the command has ended but other processes hold them open
AIRFLOWS_OWN = ("AIRFLOW_", "_AIRFLOW")
# What a command that decodes media does not get, beside our secrets: the way to the database.
DATABASE = ("RECSYS_METRICS_DSN", "PG")
MEDIA_KEY = {  # what it gets instead
    "RECSYS_S3_ACCESS_KEY": "RECSYS_S3_MEDIA_ACCESS_KEY",
    "RECSYS_S3_SECRET_KEY": "RECSYS_S3_MEDIA_SECRET_KEY",
}


class ProcessTask(BaseOperator):
    """Run `$RECSYS_PYTHON -m tasks <command>` in `$RECSYS_HOME`, in its own process group.

    Stock operators do not suffice: BashOperator uses a shell (a Param becomes code), has a skip code but no exit code
    that is never retried, merges the two streams (the error message is lost), splits lines only at newlines (progress
    bars have none) and sends TERM but never KILL. The Python operators run pickled functions, not commands.
    """

    template_fields: Sequence[str] = ("command",)
    operator_extra_links = LINKS

    def __init__(self, *, command: Sequence[str], **kwargs: Any) -> None:  # noqa: ANN401  Airflow's own
        super().__init__(**kwargs)
        self.command = command
        self._process: Popen[bytes] | None = None

    def execute(self, context: Context) -> None:
        """Run the command to its end; `settle` maps its exit code to an outcome."""
        words = [str(word) for word in self.command]
        python, home = require_setting("RECSYS_PYTHON"), require_setting("RECSYS_HOME")
        ti = context["ti"]
        mark = f"{os.environ.get('AIRFLOW_HOME', '')}|{ti.dag_id}|{ti.run_id}|{ti.task_id}|{ti.map_index}"
        for group in find_groups(mark):
            self.log.warning("ending process group %d, left over from an earlier attempt of this task", group)
            end_group(group)
        hide_secrets(os.environ)
        self.log.info("python -m tasks %s", " ".join(words))
        with Popen(
            [python, "-m", "tasks", *words],
            cwd=home,
            env=clean_environment(words[0]) | {MARK: mark, RUN_URL: run_url(ti.dag_id, ti.run_id), UNBUFFERED: "1"},
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,
        ) as process:
            self._process = process
            try:
                output = self._follow(process)
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            finally:
                self.on_kill()  # in any case, also after a timeout: leave no helper processes
        settle(context, words, process.returncode, output.error, output.closing)

    def on_kill(self) -> None:
        """End the whole process group: TERM, then KILL for the rest."""
        process, self._process = self._process, None
        if process is not None:
            end_group(process.pid)

    def _follow(self, process: Popen[bytes]) -> Output:
        """Log both streams line by line until the command ends."""
        output = Output(self.log)
        deadline = float("inf")
        with selectors.DefaultSelector() as selector:
            for stream in filter(None, (process.stdout, process.stderr)):
                selector.register(stream, selectors.EVENT_READ, (stream, Lines()))
            while selector.get_map() and time.monotonic() < deadline:
                for key, _ in selector.select(timeout=0.5):
                    stream, lines = key.data
                    chunk = os.read(key.fd, LONGEST_LINE)
                    for line in lines.feed(chunk):
                        output.take(line, error=stream is process.stderr)
                    if not chunk:
                        selector.unregister(stream)
                if deadline == float("inf") and has_ended(process.pid):
                    deadline = time.monotonic() + DRAIN
                    signal_group(
                        process.pid, signal.SIGKILL
                    )  # its remaining helper processes would hold the pipes open
        return output


def clean_environment(command: str) -> dict[str, str]:
    """The environment of a command: without Airflow's settings, and with fewer rights for one that decodes media."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(AIRFLOWS_OWN)}
    if command not in MEDIA_COMMANDS:
        return kept
    kept = {
        name: value
        for name, value in kept.items()
        if not name.startswith(DATABASE) and find_secret(name, value) is None
    }
    if os.environ.get("RECSYS_STORE", "").startswith("s3://"):  # a folder has no keys
        kept |= {name: require_setting(instead) for name, instead in MEDIA_KEY.items()}
    return kept


def find_groups(mark: str) -> set[int]:
    """Process groups that work for the task instance `mark`. The mark is to a process what a label is to a container.

    If an attempt's Airflow process was killed, its command keeps running. It is found by the mark in its environment,
    so no file is needed, and a recycled process id cannot be confused. Without /proc nothing is found.
    """
    wanted = f"{MARK}={mark}".encode()
    groups = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                groups.add(os.getpgid(int(folder.name)))
        except OSError:  # it ended meanwhile, or is another user's
            continue
    return groups - {os.getpgid(0)}


def end_group(group: int) -> None:
    """Send TERM to every process of `group`, wait at most `GRACE` seconds for its leader, then send KILL."""
    signal_group(group, signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    while time.monotonic() < deadline and not has_ended(group):
        time.sleep(0.05)
    signal_group(group, signal.SIGKILL)


def signal_group(group: int, number: signal.Signals) -> None:
    """Send a signal to a process group that may already have ended."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def has_ended(pid: int) -> bool:
    """Whether `pid` has ended. A child is left unreaped: so its id, the group's name, is not given away meanwhile."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # not our child but that of an earlier attempt
        return not Path(f"/proc/{pid}").exists()
