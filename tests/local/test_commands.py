"""`python -m local`: what a person sees, and what is left when nobody reads on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.__main__ import down, status
from local.processes import send, wait_ended
from local.stack import Stack

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 20.0  # seconds until a test fails; the event usually takes milliseconds


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    """A checkout in which nothing was ever started; `python -m local` keeps its state beside the package."""
    shutil.copytree(ROOT / "local", tmp_path / "local", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "tasks").symlink_to(ROOT / "tasks")  # its migrations
    yield tmp_path
    subprocess.run([sys.executable, "-m", "local", "down"], cwd=tmp_path, capture_output=True, check=True)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["status", "down", "demo", "demo-new", "tasks", "--help"])
def test_a_closed_pipe_ends_a_command_without_a_stack_trace(checkout: Path, command: str) -> None:
    """As in `make local-status | head -1`, whatever the command and whether the output is buffered."""
    for more in ({}, {"PYTHONUNBUFFERED": "1"}):
        reader, writer = os.pipe()
        os.close(reader)
        words = [sys.executable, "-m", "local", command]
        done = subprocess.run(
            words, cwd=checkout, env=os.environ | more, stdout=writer, stderr=subprocess.PIPE, text=True, check=False
        )
        os.close(writer)
        assert done.returncode in {0, 1}
        assert "Traceback" not in done.stderr
        assert "BrokenPipe" not in done.stderr


@pytest.mark.services
class TestOfServersThatRun:
    """PostgreSQL, S3 and mail; Airflow, which takes half a minute, is not among them."""

    @pytest.fixture
    def stack(self, tmp_path: Path) -> Iterator[Stack]:
        """A stack of these three, not started yet."""
        stack = Stack(ROOT, tmp_path / "state", bound=True)
        stack.services = [stack.postgres, stack.s3, stack.mail]
        yield stack
        for service in stack.services:
            service.stop()

    def run(self, stack: Stack) -> None:
        """Start the three."""
        for service in stack.services:
            service.launch()
        for service in stack.services:
            service.wait()

    def test_the_status_has_all_addresses_and_where_the_keys_are(
        self, stack: Stack, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The keys themselves are not shown: output ends up in logs."""
        self.run(stack)
        assert status(stack) == 0
        said = capsys.readouterr()
        settings = stack.s3.environment()
        assert f"S3: http://{settings['RECSYS_S3_ENDPOINT']}  bucket recsys" in said.out
        assert f"keys in {stack.state.folder / 'env'}" in said.out
        assert settings["RECSYS_S3_SECRET_KEY"] not in said.out
        assert said.err == ""

    def test_a_stopped_server_is_named_with_what_to_do(self, stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
        """And the exit code says that not all is well."""
        self.run(stack)
        mail = stack.mail.identity
        assert mail is not None
        send(mail, signal.SIGKILL)
        wait_ended([mail], PATIENCE)
        assert status(stack) == 1
        said = capsys.readouterr()
        assert "mail           stopped" in said.out
        assert said.err == "mail stopped, expected to run: `make local-up` starts what is missing\n"

    def test_a_server_that_does_not_answer_is_named_with_its_log(
        self, stack: Stack, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """It is there, and starting it again would change nothing."""
        self.run(stack)
        mail = stack.mail.identity
        assert mail is not None
        send(mail, signal.SIGSTOP)
        code = status(stack)
        send(mail, signal.SIGCONT)
        assert code == 1
        assert f"mail runs and is not ready, expected to answer: see {stack.mail.log}" in capsys.readouterr().err

    def test_nothing_running_is_no_fault(self, stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
        """Somebody has stopped it."""
        assert (status(stack), down(stack)) == (0, 0)
        assert "start it with `make demo` or `make local-up`" in capsys.readouterr().out

    def test_servers_start_although_nobody_reads_what_is_said(self, checkout: Path) -> None:
        """`make local-up | head -1` starts as much as `make local-up`."""
        program = (
            "import sys; from pathlib import Path; from local import __main__ as local; from local.stack import Stack\n"
            "stack = Stack(Path(sys.argv[1]), Path(sys.argv[1]) / 'state', bound=True, say=local.say)\n"
            "stack._start(stack.mail); stack._start(stack.s3)\n"
            "print(stack.mail.ready(), stack.s3.ready(), file=sys.stderr)"
        )
        reader, writer = os.pipe()
        os.close(reader)
        words = [sys.executable, "-c", program, str(checkout)]
        done = subprocess.run(
            words, cwd=checkout, stdout=writer, stderr=subprocess.PIPE, text=True, check=False, timeout=120
        )
        os.close(writer)
        assert (done.returncode, done.stderr) == (0, "True True\n")
