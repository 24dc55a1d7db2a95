"""The process launcher with real child processes: what it runs, what it tells the log, and that nothing outlives it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from airflow.sdk._shared.secrets_masker import redact
from airflow.sdk.exceptions import AirflowSkipException, AirflowTaskTimeout
from airflow.sdk.execution_time.timeout import timeout
from recsys.launch.lines import LONGEST_LINE, Lines
from recsys.launch.outcome import Failed, FailedForGood, settle
from recsys.launch.process import ProcessTask, find_groups
from structlog.testing import capture_logs

from tests import control_plane
from tests.plugins.bench import TaskInstance, execute, messages, wait

# A command that will not go: it and its helper ignore TERM, and the helper holds the pipes.
STUBBORN = """
    import os, signal, subprocess, sys, time
    from pathlib import Path
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path("pids").write_text(f"{os.getpid()} {helper.pid}")
    print("started", flush=True)
    time.sleep(600)
"""


@dataclass
class Bench:
    """Runs a program in the place of the task package."""

    home: Path
    ti: TaskInstance = field(default_factory=TaskInstance)

    def task(self, program: str, *command: str) -> ProcessTask:
        """The operator for `python -m tasks *command` when the package is `program`."""
        os.environ |= control_plane.stand_in(self.home, textwrap.dedent(program))
        return ProcessTask(task_id="train", command=list(command or ("train", "--model", "bpr")))

    def run(self, program: str, *command: str) -> None:
        """Make it and run it."""
        execute(self.task(program, *command), self.ti)

    def pids(self) -> list[int]:
        """The processes that STUBBORN started."""
        wait(lambda: (self.home / "pids").exists() and (self.home / "pids").read_text().count(" ") == 1)
        return [int(pid) for pid in (self.home / "pids").read_text().split()]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A bench in a fresh folder; the environment is put back."""
    for name in ("RECSYS_PYTHON", "RECSYS_HOME"):
        monkeypatch.setenv(name, "")
    return Bench(tmp_path)


def wait_for_the_end(pid: int) -> None:
    """Until `pid` is gone."""
    wait(lambda: gone(pid))


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has reaped yet has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_it_runs_the_command_in_the_project_without_a_shell(bench: Bench) -> None:
    """Each word arrives as it is, whatever a shell would make of it, and the folder is RECSYS_HOME."""
    program = "import json, os, sys; open('seen', 'w').write(json.dumps([os.getcwd(), *sys.argv[1:]]))"
    bench.run(program, "scan", "--dataset", "$(touch hacked) ; * 'x'")
    assert json.loads((bench.home / "seen").read_text()) == [
        str(bench.home),
        "scan",
        "--dataset",
        "$(touch hacked) ; * 'x'",
    ]
    assert not (bench.home / "hacked").exists()


def test_every_line_of_both_streams_is_logged_as_it_comes(bench: Bench) -> None:
    """Standard error as warnings; a progress bar's carriage return ends a line; bytes that are no text do no harm."""
    with capture_logs() as logged:
        bench.run(
            r"""
            import sys
            sys.stdout.buffer.write(b"\rembedding: 10%\rembedding: 90%\n\n\xff caf\xc3\xa9 ")
            sys.stdout.flush()
            sys.stderr.write("careful\n")
            sys.stdout.write("last, without newline")
            """
        )
    assert messages(logged, "info")[1:] == ["embedding: 10%", "embedding: 90%", "\\xff café last, without newline"]
    assert messages(logged, "warning") == ["careful"]


def test_a_line_is_in_the_log_even_when_the_command_dies_before_it_flushes(bench: Bench) -> None:
    """What was printed last is what one wants to know about a command that crashed."""
    with capture_logs() as logged:
        bench.run("import os; print('about to crash'); os._exit(0)")
    assert "about to crash" in messages(logged, "info")


def test_a_line_without_end_does_not_fill_the_memory() -> None:
    """It is cut where it gets too long, and no character of it is lost."""
    lines = Lines()
    cut = [line for chunk in [b"x" * LONGEST_LINE] * 3 + [b"y\nz"] + [b""] for line in lines.feed(chunk)]
    assert max(map(len, cut)) == LONGEST_LINE
    assert "".join(cut) == "x" * 3 * LONGEST_LINE + "yz"


def test_a_character_cut_in_two_by_the_pipe_is_put_together() -> None:
    """A read may end within a character's bytes."""
    lines = Lines()
    assert [*lines.feed("caf\u00e9".encode()[:-1]), *lines.feed("caf\u00e9".encode()[-1:] + b"\n")] == ["café"]


def test_exit_code_0_is_a_success(bench: Bench) -> None:
    """And leaves no reason for an alert."""
    bench.run("print('{}')")
    assert bench.ti.pushed == {}


@pytest.mark.parametrize(
    ("closing", "shown"),
    [('{"published": true, "valid": 0.25}', {"report": {"published": True, "valid": 0.25}}), ("[1]", {}), ("done", {})],
)
def test_the_figures_of_a_commands_closing_line_are_shown_with_the_task(
    bench: Bench, closing: str, shown: dict[str, object]
) -> None:
    """The last line of standard output, if it is JSON with names; what is for people is in the log alone."""
    bench.run(f"""print('{{"models": 1}}'); print('{closing}')""")
    assert bench.ti.pushed == shown


@pytest.mark.parametrize(
    ("code", "exception", "meaning"),
    [
        (10, FailedForGood, "exit code 10 (validation failed)"),
        (2, FailedForGood, "exit code 2 (bad input)"),
        (1, Failed, "exit code 1"),
        (7, Failed, "exit code 7"),
        (137, Failed, "exit code 137 (out of memory, or killed from outside)"),
    ],
)
def test_other_exit_codes_fail_with_the_last_sentence_of_standard_error(
    bench: Bench, code: int, exception: type[Failed], meaning: str
) -> None:
    """10 and 2 for good, the others to be retried; the alert finds the reason."""
    with pytest.raises(Failed, match="2 rows found, 3 expected") as caught:
        bench.run(
            f"import sys; sys.stderr.write('first\\n2 rows found, 3 expected\\n'); print('end'); sys.exit({code})"
        )
    assert type(caught.value) is exception
    assert str(caught.value) == f"train ended with {meaning}: 2 rows found, 3 expected"
    assert bench.ti.pushed["fault"] == {
        "command": ["train", "--model", "bpr"],
        "exit_code": code,
        "error": str(caught.value),
        "try_number": 1,
    }


def test_exit_code_99_skips_with_the_reason(bench: Bench) -> None:
    """Nothing to do is no failure: the reason is kept for the note of the run, and none for an alert."""
    with pytest.raises(AirflowSkipException, match=r"^no new media$"):
        bench.run("import sys; sys.exit(print('no new media', file=sys.stderr) or 99)")
    assert bench.ti.pushed == {"skipped": "no new media"}


@pytest.mark.fault("F1", "F3")
def test_a_command_killed_from_outside_is_named_so_and_retried(bench: Bench) -> None:
    """The kernel's out-of-memory killer sends KILL; the sentence says what that may mean."""
    with pytest.raises(Failed, match=r"^train ended with exit code 137 \(out of memory, or killed") as caught:
        bench.run("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert not isinstance(caught.value, FailedForGood)


def test_a_sentence_without_end_is_cut(bench: Bench) -> None:
    """It goes into the metadata database and the email."""
    with pytest.raises(Failed) as raised:
        settle({"ti": bench.ti}, ["train"], 1, "x" * 9999)
    assert str(raised.value) == "train ended with exit code 1: " + "x" * 2000
    assert bench.ti.pushed["fault"]["error"] == str(raised.value)


def test_an_attempt_does_not_end_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """The group that asks is not among those left over, though it may have the mark too."""
    with subprocess.Popen(["sleep", "60"], env={"RECSYS_TASK": "mine"}, start_new_session=True) as child:
        try:
            wait(lambda: find_groups("mine") == {child.pid})
            group_of = os.getpgid
            monkeypatch.setattr(os, "getpgid", lambda pid: group_of(pid or child.pid))
            assert find_groups("mine") == set()
        finally:
            child.kill()


def test_an_outcome_stays_what_it_is_when_the_reason_cannot_be_kept(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed validation must not become a retried fault because the API server is away."""

    def away(key: str, value: Any) -> None:
        raise ConnectionError("API server is away")

    monkeypatch.setattr(bench.ti, "xcom_push", away)
    with pytest.raises(FailedForGood):
        bench.run("import sys; sys.exit(10)")


@pytest.mark.parametrize("variable", ["RECSYS_PYTHON", "RECSYS_HOME"])
def test_a_stack_that_names_no_task_package_is_told_so(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Not retried: the environment will not mend itself."""
    task = bench.task("")
    monkeypatch.delenv(variable)
    with pytest.raises(FailedForGood, match=f"^{variable} is not set, expected it in"):
        execute(task, bench.ti)


def test_the_command_gets_its_own_settings_and_none_of_airflows(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder that a hostile file takes over finds no database password and no signing key of Airflow's."""
    monkeypatch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "x")
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", "x")
    monkeypatch.setenv("RECSYS_S3_SECRET_KEY", "x")
    bench.run("import json, os; open('seen', 'w').write(json.dumps(dict(os.environ)))")
    seen = json.loads((bench.home / "seen").read_text())
    assert seen["RECSYS_RUN_URL"] == f"http://airflow.test:8080/dags/dag/runs/{quote(bench.ti.run_id, safe='')}"
    assert not [name for name in seen if name.startswith(("AIRFLOW__", "AIRFLOW_CONN_"))]
    assert seen["RECSYS_S3_SECRET_KEY"] == "x"


STORE = {
    "RECSYS_STORE": "s3://films",
    "RECSYS_S3_ENDPOINT": "127.0.0.1:9000",
    "RECSYS_S3_ACCESS_KEY": "tasks",
    "RECSYS_S3_SECRET_KEY": "key of the tasks",
    "RECSYS_S3_MEDIA_ACCESS_KEY": "media",
    "RECSYS_S3_MEDIA_SECRET_KEY": "key of media",
    "RECSYS_METRICS_DSN": "postgresql://metrics:word@127.0.0.1/metrics",
    "RECSYS_S3_ROOT_PASSWORD": "key of root",
    "PGPASSWORD": "word",
    "AIRFLOW_HOME": "where Airflow's password lies",
}


@pytest.mark.parametrize("command", ["extract", "encode", "train-encoder"])
def test_a_command_that_decodes_media_gets_no_database_and_a_lesser_key(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Of all keys and passwords, its environment has this one."""
    for name, value in STORE.items():
        monkeypatch.setenv(name, value)
    bench.run("import json, os; open('seen', 'w').write(json.dumps(dict(os.environ)))", command, "--run", "r")
    seen = json.loads((bench.home / "seen").read_text())
    assert {name: value for name, value in seen.items() if name in STORE} == {
        "RECSYS_STORE": "s3://films",
        "RECSYS_S3_ENDPOINT": "127.0.0.1:9000",
        "RECSYS_S3_ACCESS_KEY": "media",
        "RECSYS_S3_SECRET_KEY": "key of media",
    }


def test_any_other_command_gets_the_key_of_the_tasks(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the database."""
    for name, value in STORE.items():
        monkeypatch.setenv(name, value)
    bench.run("import json, os; open('seen', 'w').write(json.dumps(dict(os.environ)))", "publish", "--run", "r")
    seen = json.loads((bench.home / "seen").read_text())
    for name in ("RECSYS_S3_ACCESS_KEY", "RECSYS_S3_SECRET_KEY", "RECSYS_METRICS_DSN"):
        assert seen[name] == STORE[name]


@pytest.mark.parametrize("missing", ["RECSYS_S3_MEDIA_ACCESS_KEY", "RECSYS_S3_MEDIA_SECRET_KEY"])
def test_without_the_lesser_key_media_are_not_decoded_with_the_other(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """The setting is named; a folder in place of a bucket needs no key."""
    for name, value in STORE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(missing)
    with pytest.raises(FailedForGood, match=f"^{missing} is not set, expected it in"):
        bench.run("", "extract", "--run", "r")
    monkeypatch.setenv("RECSYS_STORE", "file:///films")
    execute(ProcessTask(task_id="extract", command=["extract", "--run", "r"]), bench.ti)


def test_secrets_are_masked_in_logs_and_absent_from_what_is_rendered(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Passwords reach the command through its environment only, and are stars wherever Airflow would show them."""
    monkeypatch.setenv("RECSYS_S3_SECRET_KEY", "correct-horse-battery")
    monkeypatch.setenv("RECSYS_METRICS_DSN", "postgresql://task:staple-of-the-day@127.0.0.1/metrics")
    task = bench.task("")
    execute(task, bench.ti)
    assert "correct-horse" not in redact("key correct-horse-battery")
    assert "staple" not in redact("postgresql://task:staple-of-the-day@127.0.0.1/metrics")
    assert task.template_fields == ("command",)
    assert "correct-horse-battery" not in str(vars(task))


def test_being_killed_ends_the_whole_group_even_what_ignores_term(bench: Bench) -> None:
    """As Airflow does it when somebody marks the task failed: SIGTERM, whose handler calls on_kill."""
    task = bench.task(STUBBORN)
    previous = signal.signal(signal.SIGTERM, lambda *_: task.on_kill())

    def kill() -> None:
        bench.pids()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=kill, daemon=True).start()
    try:
        with pytest.raises(Failed, match="137"):
            execute(task, bench.ti)
    finally:
        signal.signal(signal.SIGTERM, previous)
    for pid in bench.pids():
        wait_for_the_end(pid)


def test_an_execution_timeout_ends_the_whole_group(bench: Bench) -> None:
    """Airflow raises it inside `execute`."""
    task = bench.task(STUBBORN)
    with pytest.raises(AirflowTaskTimeout), timeout(2):  # type: ignore[no-untyped-call]  # Airflow's
        execute(task, bench.ti)
    for pid in bench.pids():
        wait_for_the_end(pid)


def test_a_helper_that_outlives_its_command_is_ended_and_holds_nothing_up(bench: Bench) -> None:
    """A command that ended well is a success, even when a forgotten helper still holds its pipes."""
    bench.run(STUBBORN.replace('print("started", flush=True)', "sys.exit(0)"))
    for pid in bench.pids():
        wait_for_the_end(pid)


@pytest.mark.fault("F2")
def test_an_earlier_attempt_that_is_still_running_is_ended_first(bench: Bench) -> None:
    """Its Airflow process was killed and could end nothing; the next attempt of the same task instance does."""
    first = bench.task(STUBBORN)
    code = textwrap.dedent(
        f"""
        import sys
        sys.path[:0] = {[str(control_plane.ROOT), str(control_plane.ROOT / "plugins")]}
        from recsys.launch.process import ProcessTask
        from tests.plugins.bench import TaskInstance
        ti = TaskInstance(map_index=int(sys.argv[1]))
        ProcessTask.execute.__wrapped__(ProcessTask(task_id="train", command={first.command!r}), {{"ti": ti}})
        """
    )
    left_over = {}
    for map_index in (2, 3):
        (bench.home / "pids").unlink(missing_ok=True)
        runner = subprocess.Popen([sys.executable, "-c", code, str(map_index)], stdout=subprocess.DEVNULL)
        left_over[map_index] = bench.pids()
        runner.kill()
        runner.wait()
    (bench.home / "tasks" / "__main__.py").write_text("")
    bench.ti.try_number = 2
    try:
        with capture_logs() as logged:
            execute(first, bench.ti)
        for pid in left_over[2]:
            wait_for_the_end(pid)
        assert not any(gone(pid) for pid in left_over[3])
        (told,) = messages(logged, "warning")
        assert told == f"ending process group {left_over[2][0]}, left over from an earlier attempt of this task"
    finally:
        os.killpg(left_over[3][0], signal.SIGKILL)
