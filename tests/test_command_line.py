"""The command line, as a user types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.__main__ import COMMANDS, command, main, summary, usage

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_exists_and_says_what_it_does(name: str) -> None:
    """Each command has a function and a first line of help."""
    assert callable(command(name))
    assert summary(name).endswith(".")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """--help works and describes each option."""
    assert main([name, "--help"]) == 0
    assert "Usage: python -m tasks" in capsys.readouterr().out


def test_an_unknown_command_lists_the_known(capsys: pytest.CaptureFixture[str]) -> None:
    """A typo gives the list of commands and exit code 2."""
    assert main(["trian"]) == 2
    assert "train" in capsys.readouterr().err


def test_no_command_prints_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m tasks` shows all commands, and its exit code is not 0."""
    assert main([]) == 2
    assert usage() in capsys.readouterr().out


def test_bad_input_is_one_sentence_on_stderr_without_a_trace(capsys: pytest.CaptureFixture[str]) -> None:
    """An expected error shows found and expected, and no stack trace."""
    assert main(["align", "--run", "no/such"]) == 2
    shown = capsys.readouterr()
    assert "no/such" in shown.err or "RECSYS_STORE" in shown.err
    assert shown.err.count("\n") == 1
    assert "Traceback" not in shown.err + shown.out


def test_an_unknown_option_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    """The error names the mistyped option and the help command."""
    assert main(["align", "--rnu", "x"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("No such option: --rnu")
    assert said.endswith(". See `python -m tasks align --help`.\n")


@pytest.mark.parametrize("words", [["history"], ["align", "--run", "x"]])
def test_an_unknown_log_level_lists_the_known(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    """It gives one sentence and exit code 2, before the command starts."""
    monkeypatch.setenv("RECSYS_LOG_LEVEL", "loud")
    assert main(words) == 2
    assert capsys.readouterr().err == ("RECSYS_LOG_LEVEL of 'loud' found, expected DEBUG, INFO, WARNING or ERROR\n")


@pytest.mark.parametrize("word", ["--help", "align"])
def test_a_closed_pipe_ends_a_command_quietly(word: str) -> None:
    """As in `... | head -1`: there is no stack trace from logging or from the interpreter's exit."""
    code = (
        "import logging, sys; from tasks import __main__ as line; "
        "line.run = lambda *_: logging.info('said') or 0; sys.exit(line.main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, word]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


def test_debug_keeps_the_stack_trace(capsys: pytest.CaptureFixture[str]) -> None:
    """--debug is accepted anywhere after the command, as the usage says."""
    assert main(["align", "--debug", "--run", "no/such"]) == 2
    assert "Traceback" in capsys.readouterr().err
    assert usage().endswith("--debug, anywhere after the name of a command, shows the stack trace of an error.")


@pytest.mark.slow
def test_the_last_line_of_output_is_json(tmp_path: Path) -> None:
    """A successful command ends with one line of JSON and exit code 0."""
    done = subprocess.run(
        [sys.executable, "-m", "tasks", "demo-catalogue", "--out", str(tmp_path / "c"), "--items", "3", "--users", "5"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert isinstance(json.loads(done.stdout.splitlines()[-1]), dict)


def test_listing_the_commands_imports_no_torch() -> None:
    """Help is fast: no slow packages are imported for it."""
    code = (
        "import sys; from tasks.__main__ import usage; usage(); print('torch' in sys.modules, 'pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.slow
def test_commands_that_rank_nothing_import_no_torch() -> None:
    """The import takes seconds, which users of commands such as `history` would have to wait for."""
    light = ("load-media", "load-interactions", "load-embeddings", "discover", "scan", "align", "prepare", "history")
    light += ("check-embeddings", "check-dataset", "migrate", "provision", "export-store")
    code = (
        f"import sys; from tasks.__main__ import command; [command(n) for n in {light}]; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


STUCK = """
import io, runpy, sys, time, types
import pyarrow.csv
from tasks.errors import BadInput

class Slow(io.RawIOBase):
    reads = 0
    def readable(self):
        return True
    def readinto(self, buffer):
        self.reads += 1
        time.sleep(0.3 if self.reads > 2 else 0)
        lines = b"1,2\\n" * (len(buffer) // 4)
        buffer[:len(lines)] = lines
        return len(lines)

def align():
    options = pyarrow.csv.ReadOptions(block_size=4096)
    pyarrow.csv.open_csv(io.BufferedReader(Slow(), 4096), read_options=options).read_next_batch()
    raise BadInput("wrong")

sys.modules["tasks.steps.align"] = types.SimpleNamespace(align=align)
sys.argv = ["tasks", "align"]
runpy.run_module("tasks", run_name="__main__", alter_sys=True)
"""


def test_a_reader_that_still_reads_does_not_abort_the_end() -> None:
    """A thread of Arrow that reads ahead from a Python file outlives the command; the code is the command's."""
    done = subprocess.run([sys.executable, "-c", STUCK], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "wrong\n")


@pytest.mark.slow
def test_a_wrong_timestamp_always_ends_with_the_code_of_bad_input(tmp_path: Path) -> None:
    """Some processes ended by SIGABRT after the right sentence, which a scheduler takes for a fault and tries again."""
    path = tmp_path / "log.csv"
    path.write_text("user,item,timestamp\n" + "a,x,2020-01-01\n" * 50_000 + "a,y,noon\n", encoding="utf-8")
    words = [sys.executable, "-m", "tasks", "load-interactions", str(path), "--dataset", "films"]
    environment = os.environ | {"RECSYS_STORE": f"file://{tmp_path}/store"}
    for _ in range(4):
        done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert "has the time 'noon' in row 50001" in done.stderr


def test_the_end_does_what_was_left_for_it() -> None:
    """Threads are joined, `atexit` is done and output that still waits is written, in spite of the short end."""
    code = (
        "import atexit, sys, threading, time; from tasks.__main__ import end; "
        "threading.Thread(target=lambda: (time.sleep(0.2), sys.stdout.write('thread '))).start(); "
        "atexit.register(lambda: sys.stdout.write('atexit')); end(99)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (99, "thread atexit", "")


def test_a_command_that_cannot_be_imported_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A package that is missing is a fault of the installation: one line and exit code 1."""
    COMMANDS["broken"] = "tasks.steps.no_such_module:broken"
    try:
        assert main(["broken"]) == 1
    finally:
        del COMMANDS["broken"]
    said = capsys.readouterr().err
    assert said.startswith("ModuleNotFoundError: No module named 'tasks.steps.no_such_module'")
    assert said.count("\n") == 1
