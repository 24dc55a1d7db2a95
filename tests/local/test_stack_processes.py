"""All processes of a stack are ended, and no others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.processes import MARK, Identity, alive, end, family, find_marked, process, send, spawn

PATIENCE = 20.0  # seconds until a test fails; the event usually takes milliseconds


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether `condition` becomes true in time."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Identity]]:
    """Return a function that starts a shell script as a server; ends all processes with this test's mark."""
    mark = f"test-{os.getpid()}-{tmp_path.name}"
    started: list[Identity] = []

    def run(script: str) -> Identity:
        environment = dict(os.environ) | {MARK: mark, "PYTHON": sys.executable}
        leader = spawn(["sh", "-c", script], log=tmp_path / "log", environment=environment, cwd=tmp_path)
        started.append(leader)
        return leader

    yield run
    end({*started, *find_marked(mark)}, grace=1.0)


def test_a_started_server_is_alive_until_it_is_ended(start: Callable[[str], Identity]) -> None:
    """`end` returns when the process has ended."""
    server = start("exec sleep 600")
    assert alive(server)
    end([server], grace=PATIENCE)
    assert not alive(server)


def test_a_server_that_ignores_the_signal_is_killed(start: Callable[[str], Identity], tmp_path: Path) -> None:
    """After the grace period it is killed."""
    server = start("trap '' TERM; touch ready; while :; do sleep 1; done")
    assert eventually((tmp_path / "ready").exists)
    end([server], grace=0.2)
    assert not alive(server)


def test_an_ended_server_leaves_no_zombie(start: Callable[[str], Identity]) -> None:
    """It is reaped at the next check."""
    server = start("exit 3")
    assert eventually(lambda: not alive(server))
    with pytest.raises(ChildProcessError):
        os.waitpid(server.pid, os.WNOHANG)


def test_a_recycled_pid_is_never_signalled(start: Callable[[str], Identity]) -> None:
    """Another process that got a server's pid is not ours."""
    stranger = start("exec sleep 600")
    remembered = stranger.model_copy(update={"started": stranger.started - 1})
    assert not alive(remembered)
    assert not send(remembered, signal.SIGKILL)
    assert family(remembered) == set()
    end([remembered], grace=0.1)
    assert alive(stranger)


def test_a_pid_of_before_the_last_boot_is_never_signalled(start: Callable[[str], Identity]) -> None:
    """Start times in clock ticks are not comparable across boots."""
    stranger = start("exec sleep 600")
    remembered = stranger.model_copy(update={"boot": "another"})
    assert not send(remembered, signal.SIGKILL)
    assert family(remembered) == set()
    assert alive(stranger)


def test_the_family_holds_children_of_other_process_groups(start: Callable[[str], Identity], tmp_path: Path) -> None:
    """The scheduler's tasks have their own process groups."""
    script = "\"$PYTHON\" -c \"import os, time; os.setpgid(0, 0); open('ready', 'w').close(); time.sleep(600)\" & wait"
    server = start(script)
    assert eventually((tmp_path / "ready").exists)
    members = family(server)
    assert len(members) == 2
    end(members, grace=PATIENCE)
    assert not any(alive(member) for member in members)


def test_orphans_of_a_killed_server_are_found_in_its_session(start: Callable[[str], Identity], tmp_path: Path) -> None:
    """The children of a killed leader are found."""
    server = start("sleep 600 & echo $! > child; wait")
    assert eventually(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text() != "")
    child = process(int((tmp_path / "child").read_text()))
    assert child is not None
    send(server, signal.SIGKILL)
    assert eventually(lambda: not alive(server))
    assert family(server) == {child.identity}


def test_the_mark_finds_what_left_its_session(start: Callable[[str], Identity], tmp_path: Path) -> None:
    """A task's command has its own session, and its parents may all have ended."""
    server = start("setsid sh -c 'touch ready; exec sleep 600' & wait")
    assert eventually((tmp_path / "ready").exists)
    send(server, signal.SIGKILL)
    assert eventually(lambda: not alive(server))
    left = find_marked(f"test-{os.getpid()}-{tmp_path.name}")
    assert len(left) == 1
    end(left, grace=PATIENCE)
    assert not any(alive(identity) for identity in left)


def test_the_mark_leaves_other_stacks_alone(start: Callable[[str], Identity]) -> None:
    """Another mark belongs to another stack."""
    server = start("exec sleep 600")
    assert server not in find_marked("somebody-else")


def test_the_log_of_the_last_start_is_kept(start: Callable[[str], Identity], tmp_path: Path) -> None:
    """The reason why a server ended can be read after a restart."""
    server = start("echo first; exec sleep 600")
    assert eventually(lambda: (tmp_path / "log").read_text() == "first\n")
    end([server], grace=PATIENCE)
    start("exec sleep 600")
    assert (tmp_path / "log.old").read_text() == "first\n"


def test_a_process_whose_name_has_blanks_and_brackets_is_read(tmp_path: Path) -> None:
    """Unusual process names do not confuse the parser."""
    program = tmp_path / "a ) b ("
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([str(program), "600"]) as child:
        try:
            entry = process(child.pid)
            assert entry is not None
            assert entry.parent == os.getpid()
        finally:
            child.kill()
