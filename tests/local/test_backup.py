"""`make verify-backup` and `make restore`: a backup is verified as a whole, before anything is touched."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.local.test_scripts import Machine

pytestmark = pytest.mark.slow
FILES = ("airflow.dump", "metrics.dump", "store.tar")
ENGINE = """
case $* in
    "compose version --short") echo 2.40.3 ;;
    info) ;;
    "compose ps"*) echo running ;;
    *pg_dump*) echo "dump $*" ;;
    *export-store*) echo archive ;;
    "volume inspect"*) exit 1 ;;
    *) echo "$*" >>calls ;;
esac
"""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with a stand-in for the engine, which notes what is asked of it, and a backup that it made."""
    made = Machine(tmp_path)
    made.program("docker", ENGINE)
    for command in ("env", "backup"):
        done = made.stack(command, BACKUPS=str(tmp_path / "backups"))
        assert done.returncode == 0, done.stderr
    (tmp_path / "backups").rename(tmp_path / "kept")
    (folder,) = (tmp_path / "kept").iterdir()
    folder.rename(made.checkout / "b")
    return made


def type_command(machine: Machine, command: str, *words: str) -> subprocess.CompletedProcess[str]:
    """`docker/stack.sh COMMAND FOLDER`."""
    environment = {"PATH": f"{machine.programs}:/usr/bin:/bin"}
    line = [machine.checkout / "docker/stack.sh", command, *words]
    return subprocess.run(line, env=environment, capture_output=True, text=True, check=False)


def calls(machine: Machine) -> list[str]:
    """What was asked of the engine that changes something."""
    path = machine.checkout / "calls"
    return path.read_text().splitlines() if path.exists() else []


def test_a_backup_lists_every_file_and_is_sealed(machine: Machine) -> None:
    """SHA256SUMS has each file, and COMPLETE, written last, their number and the hash of the list."""
    folder = machine.checkout / "b"
    assert sorted(path.name for path in folder.iterdir()) == ["COMPLETE", "SHA256SUMS", *FILES]
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    assert lines == [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}" for name in FILES]
    listed = hashlib.sha256((folder / "SHA256SUMS").read_bytes()).hexdigest()
    assert (folder / "COMPLETE").read_text() == f"3 files, SHA256SUMS {listed}\n"
    done = type_command(machine, "verify-backup", "b")
    assert (done.returncode, done.stdout) == (0, "b is as it was written: airflow.dump metrics.dump store.tar.\n")


def keep_lines(number: int) -> Callable[[Path], object]:
    """Let the list have so many lines."""

    def change(folder: Path) -> None:
        lines = (folder / "SHA256SUMS").read_text().splitlines(keepends=True)
        (folder / "SHA256SUMS").write_text("".join(lines[:number]))

    return change


def seal(folder: Path) -> None:
    """Write COMPLETE anew, for the list that is there."""
    data = (folder / "SHA256SUMS").read_bytes()
    text = f"{len(data.splitlines())} files, SHA256SUMS {hashlib.sha256(data).hexdigest()}\n"
    (folder / "COMPLETE").write_text(text)


def both(first: Callable[[Path], object], second: Callable[[Path], object]) -> Callable[[Path], object]:
    """One change after the other."""
    return lambda folder: (first(folder), second(folder))


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a list of one line": (keep_lines(1), "b/SHA256SUMS is not the list that COMPLETE was written for"),
    "an empty list": (keep_lines(0), "b/SHA256SUMS is not the list that COMPLETE was written for"),
    "a sealed list of one line": (both(keep_lines(1), seal), "b/SHA256SUMS does not list airflow.dump metrics.dump"),
    "a sealed empty list": (both(keep_lines(0), seal), "b/SHA256SUMS does not list airflow.dump metrics.dump"),
    "no list": (lambda folder: (folder / "SHA256SUMS").unlink(), "b/SHA256SUMS is not there"),
    "no end": (lambda folder: (folder / "COMPLETE").unlink(), "b/COMPLETE is not there"),
    "a cut end": (lambda folder: (folder / "COMPLETE").write_text("3 files"), "b/SHA256SUMS is not the list"),
    "a missing dump": (lambda folder: (folder / "metrics.dump").unlink(), "b/metrics.dump is not there"),
    "a missing archive": (lambda folder: (folder / "store.tar").unlink(), "b/store.tar is not there"),
    "a foreign file": (lambda folder: (folder / "other.dump").touch(), "b/other.dump is no file of a backup"),
    "a hidden file": (lambda folder: (folder / ".part").touch(), "b/.part is no file of a backup"),
    "a changed dump": (lambda folder: (folder / "airflow.dump").write_bytes(b"x"), "b is not as it was written"),
    "a cut archive": (lambda folder: (folder / "store.tar").write_bytes(b"arch"), "b is not as it was written"),
    "no folder": (shutil.rmtree, "b/airflow.dump is not there"),
}


@pytest.mark.parametrize(
    ("command", "damage"),
    [
        *(("verify-backup", damage) for damage in DAMAGE),
        *(
            ("restore", damage)
            for damage in ("a list of one line", "a missing dump", "a foreign file", "a cut archive")
        ),
    ],
)
def test_what_is_not_a_whole_backup_is_refused_before_anything_is_touched(
    machine: Machine, command: str, damage: str
) -> None:
    """In one sentence that says what was expected."""
    change, sentence = DAMAGE[damage]
    change(machine.checkout / "b")
    done = type_command(machine, command, "b")
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "expected" in done.stderr
    assert done.stderr.count("\n") == 1
    assert calls(machine) == []


@pytest.mark.parametrize("command", ["verify-backup", "restore"])
def test_a_backup_has_to_be_named(machine: Machine, command: str) -> None:
    """With how."""
    done = type_command(machine, command)
    assert (done.returncode, done.stderr) == (1, f"no backup is named, expected 'make {command} FROM=backups/...'\n")


def test_a_whole_backup_is_restored(machine: Machine) -> None:
    """Airflow is stopped, and both dumps and the archive are read."""
    done = type_command(machine, "restore", "b")
    assert done.returncode == 0, done.stderr
    said = "\n".join(calls(machine))
    assert re.search(r"stop --timeout 60 api-server scheduler.*import-store.*ALTER DATABASE airflow", said, re.DOTALL)
    assert said.count("pg_restore") == 2
