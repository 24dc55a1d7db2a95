"""The scripts behind `make up` and `make install`, as far as they decide before anything large is fetched."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
NVIDIA = Path("/dev/nvidia0").exists() or Path("/proc/driver/nvidia/gpus").exists()


class Machine:
    """A checkout, and a folder of programs that are found before those of this machine."""

    def __init__(self, folder: Path) -> None:
        self.checkout, self.programs = folder / "checkout", folder / "programs"
        self.programs.mkdir()
        (self.checkout / "docker").mkdir(parents=True)
        for script in ("stack.sh", "gpu.sh"):
            shutil.copy(ROOT / "docker" / script, self.checkout / "docker")
        self.program("docker", "exit 1")
        self.program("nvidia-smi", "exit 9")

    def program(self, name: str, script: str) -> None:
        """Put a program in front."""
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def compose(self, says: str, code: int = 0) -> None:
        """An engine whose Compose says this of its version."""
        version = f'"compose version --short") echo "{says}"; exit {code} ;;'
        self.program("docker", f'case $* in {version} "volume inspect"*) exit 1 ;; esac')

    def stack(self, command: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Type `docker/stack.sh ...`."""
        environment = {"PATH": f"{self.programs}:{os.environ['PATH']}"} | settings
        words = [self.checkout / "docker/stack.sh", command]
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)

    def settings(self) -> dict[str, str]:
        """What .env says."""
        lines = (self.checkout / ".env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine without a GPU, whose Docker has no Compose."""
    return Machine(tmp_path)


@pytest.mark.parametrize("command", ["up", "env", "down", "status", "logs", "backup", "restore"])
def test_without_compose_every_command_says_so_in_one_sentence(machine: Machine, command: str) -> None:
    """Of the shell's own words there are none."""
    done = machine.stack(command)
    assert done.returncode != 0
    assert done.stderr == "'docker compose' does not work, expected the Compose plugin 2.24 or later\n"


@pytest.mark.parametrize("version", ["1.29.2", "2.3.3", "v2.17.0", "2.23.3-desktop.1", "2.9"])
def test_an_old_compose_is_named(machine: Machine, version: str) -> None:
    """With its version, whatever is around the number."""
    machine.compose(version)
    done = machine.stack("env")
    assert (done.returncode, done.stderr) == (1, f"Compose {version} found, expected 2.24 or later\n")


@pytest.mark.parametrize("version", ["2.24.0", "v2.24.6-desktop.1", "2.40.3", "2.100.0", "5.0.1", "12.1"])
def test_a_compose_that_is_new_enough_is_taken(machine: Machine, version: str) -> None:
    """Also one with more digits than today's."""
    machine.compose(version)
    assert machine.stack("env").returncode == 0


@pytest.mark.parametrize("version", ["", "dev", "no version at all"])
def test_a_compose_without_a_version_is_quoted(machine: Machine, version: str) -> None:
    """One that somebody has built."""
    machine.compose(version)
    done = machine.stack("env")
    assert done.returncode == 1
    assert done.stderr == f"'docker compose version' says '{version}', expected the Compose plugin 2.24 or later\n"


@pytest.mark.skipif(NVIDIA, reason="this machine has a GPU of NVIDIA")
def test_without_a_gpu_the_build_for_cpus_is_chosen(machine: Machine) -> None:
    """Nobody has to know that there are two."""
    machine.compose("2.40.3")
    machine.stack("env")
    assert machine.settings()["ACCELERATOR"] == "cpu"


def test_with_a_gpu_the_build_for_gpus_is_chosen(machine: Machine) -> None:
    """As NVIDIA's own program tells."""
    machine.compose("2.40.3")
    machine.program("nvidia-smi", '[ "$1" = -L ] && echo "GPU 0: a GPU"')
    machine.stack("env")
    assert machine.settings()["ACCELERATOR"] == "cuda"


def test_a_choice_of_the_user_stands(machine: Machine) -> None:
    """In the shell before the first start, or in .env afterwards."""
    machine.compose("2.40.3")
    machine.stack("env", ACCELERATOR="cuda")
    assert machine.settings()["ACCELERATOR"] == "cuda"
    machine.stack("env")
    assert machine.settings()["ACCELERATOR"] == "cuda"


@pytest.mark.parametrize("command", ["env", "up", "backup", "restore"])
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o602, 0o677])
def test_an_env_that_others_can_read_is_refused(machine: Machine, command: str, mode: int) -> None:
    """It is not mended in silence: its secrets may be known. The first one is closed, whatever the umask."""
    machine.compose("2.40.3")
    before = os.umask(0)
    try:
        assert machine.stack("env").returncode == 0
    finally:
        os.umask(before)
    env = machine.checkout / ".env"
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    env.chmod(mode)
    done = machine.stack(command)
    assert done.returncode == 1
    assert f".env has mode {mode:o}, so others can read its secrets, expected 600: 'chmod 600 .env'" in done.stderr
    assert stat.S_IMODE(env.stat().st_mode) == mode
    env.chmod(0o400)
    assert machine.stack("env").returncode == 0


def take_out(machine: Machine, *names: str) -> str:
    """Make .env that of a version before these settings; its text, which ends without a newline."""
    env = machine.checkout / ".env"
    lines = [line for line in env.read_text().splitlines() if line.partition("=")[0] not in names]
    env.write_text("\n".join(lines))
    return env.read_text()


def test_an_env_of_an_earlier_version_gets_the_key_of_tasks_that_decode_media(machine: Machine) -> None:
    """Once, with a secret of its own; all other lines and the mode stay. Whatever is typed first, for Compose asks."""
    machine.compose("2.40.3")
    machine.stack("env")
    names = ("S3_MEDIA_ACCESS_KEY", "S3_MEDIA_SECRET_KEY")
    before, secrets = take_out(machine, *names), set()
    for command in ("env", "status"):
        take_out(machine, *names)
        done = machine.stack(command)
        assert (done.returncode, done.stderr.count("\n")) == (0, 1)
        assert done.stderr.startswith("Added S3_MEDIA_ACCESS_KEY and S3_MEDIA_SECRET_KEY to .env")
        text = (machine.checkout / ".env").read_text()
        assert text.startswith(before + "\n")
        found = machine.settings()
        assert found["S3_MEDIA_ACCESS_KEY"] == "recsys-media"
        assert len(found["S3_MEDIA_SECRET_KEY"]) == 32
        assert found["S3_MEDIA_SECRET_KEY"] not in {found["S3_SECRET_KEY"], *secrets}
        secrets.add(found["S3_MEDIA_SECRET_KEY"])
        assert stat.S_IMODE((machine.checkout / ".env").stat().st_mode) == 0o600
        assert machine.stack("env").stderr == ""
        assert (machine.checkout / ".env").read_text() == text


def test_where_the_tasks_have_roots_key_so_have_those_that_decode_media(machine: Machine) -> None:
    """There no users are created, so a new key would be that of nobody."""
    machine.compose("2.40.3")
    machine.stack("env")
    take_out(machine, "S3_MEDIA_ACCESS_KEY", "S3_MEDIA_SECRET_KEY", "S3_ACCESS_KEY", "S3_SECRET_KEY")
    root = [machine.settings()[f"OBJECT_STORE_ROOT_{part}"] for part in ("USER", "PASSWORD")]
    with (machine.checkout / ".env").open("a") as file:
        file.write(f"\nS3_ACCESS_KEY={root[0]}\nS3_SECRET_KEY={root[1]}\n")
    assert machine.stack("env").returncode == 0
    assert [machine.settings()[f"S3_MEDIA_{part}_KEY"] for part in ("ACCESS", "SECRET")] == root


def test_half_a_key_is_named_and_not_replaced(machine: Machine) -> None:
    """Somebody has begun to choose one; and one that the shell has is not written."""
    machine.compose("2.40.3")
    machine.stack("env")
    take_out(machine, "S3_MEDIA_SECRET_KEY")
    done = machine.stack("env")
    assert done.returncode == 1
    assert done.stderr.startswith("S3_MEDIA_SECRET_KEY is missing in .env, expected a value")
    before = take_out(machine, "S3_MEDIA_ACCESS_KEY")
    assert machine.stack("env", S3_MEDIA_ACCESS_KEY="mine", S3_MEDIA_SECRET_KEY="Jq3-xV9_wT5-rB7_kL1").returncode == 0
    assert (machine.checkout / ".env").read_text() == before


@pytest.mark.parametrize(("name", "value"), [("SMTP_PASSWORD", 'a"b'), ("SMTP_USER", "a\\b"), ("SMTP_HOST", '","x":"')])
def test_a_mail_setting_that_would_break_its_json_is_refused(machine: Machine, name: str, value: str) -> None:
    """It would end the connection in the middle, and Airflow would show what is left."""
    machine.compose("2.40.3")
    machine.stack("env")
    with (machine.checkout / ".env").open("a") as file:
        file.write(f"{name}={value}\n")
    done = machine.stack("env")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"{name} has a quotation mark or a backslash" in done.stderr
    assert value not in done.stderr


class Pythons:
    """A checkout whose `make install` finds these interpreters and nothing else of a Python."""

    def __init__(self, folder: Path) -> None:
        self.programs = folder / "programs"
        self.programs.mkdir()
        for name in ("dirname", "uname"):
            (self.programs / name).symlink_to(shutil.which(name) or "")

    def add(self, name: str, version: str) -> None:
        """An interpreter of this version, without the module venv, so that nothing is installed."""
        path = self.programs / name
        path.write_text(f"#!/bin/sh\ncase $2 in *version_info*) echo {version} ;; *) exit 1 ;; esac\n")
        path.chmod(0o755)

    def install(self, **settings: str) -> str:
        """Type `make install`; the sentence with which it ends."""
        words = ["/bin/sh", ROOT / "local/install.sh", "tasks"]
        environment = {"PATH": str(self.programs)} | settings
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        return line


def test_the_oldest_python_that_fits_is_taken(tmp_path: Path) -> None:
    """3.11 is the one with which everything is tested; Ubuntu 24.04 and Debian 13 have none."""
    pythons = Pythons(tmp_path)
    assert pythons.install().startswith("no Python 3.11, 3.12 or 3.13 was found, expected one: 'apt-get install")
    for version in ("3.13", "3.12", "3.11"):
        pythons.add(f"python{version}", version)
        assert pythons.install() == (
            f"python{version} has no module venv, expected one: 'apt-get install python{version}-venv'"
        )


def test_a_python_that_was_chosen_is_not_replaced(tmp_path: Path) -> None:
    """It is named when it is not there or does not fit."""
    pythons = Pythons(tmp_path)
    pythons.add("python3.11", "3.11")
    pythons.add("mine", "3.14")
    assert pythons.install(PYTHON="mine").startswith("mine is Python 3.14, expected 3.11, 3.12 or 3.13")
    assert pythons.install(PYTHON="none").startswith("none was not found, expected Python 3.11, 3.12 or 3.13")


def test_a_wish_about_the_offline_encoders_that_is_none_is_refused(tmp_path: Path) -> None:
    """With the two that there are; nobody gets an environment without them by a slip."""
    assert Pythons(tmp_path).install(OFFLINE_ENCODERS="no").startswith("OFFLINE_ENCODERS=no found, expected 1 (with")


def test_scripts_and_project_agree_on_the_versions_of_python() -> None:
    """One lock is for all of them: its packages are there for each, and what differs has a marker."""
    (wanted,) = re.findall(r'^requires-python = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    (found,) = re.findall(r"^for each in (.*); do$", (ROOT / "local/install.sh").read_text(), re.MULTILINE)
    assert found.split() == [f"python3.{minor}" for minor in (11, 12, 13)]
    assert wanted == ">=3.11,<3.14"
    assert "--universal" in (ROOT / "local/lock.sh").read_text()
    assert " ; python_full_version == '3.13.*'" in (ROOT / "requirements.txt").read_text()
