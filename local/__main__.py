"""Entry point of the Makefile: `python -m local up | down | status | demo | demo-new | tasks ...`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from local.errors import StackError
from local.s3 import BUCKET
from local.stack import Stack

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".local"


def say(line: str) -> None:
    """Show one step of the work; the work goes on when nobody reads any more, as in `make local-up | head -1`."""
    try:
        print(f"  {line}", flush=True)
    except BrokenPipeError:
        discard_output()


def discard_output() -> None:
    """Send what is still to be printed nowhere: the interpreter would end with a stack trace."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())


def up(stack: Stack) -> int:
    """Start all servers that are not running."""
    started = stack.start()
    say(f"Started: {', '.join(started)}." if started else "Everything was already running.")
    return status(stack)


def down(stack: Stack) -> int:
    """Stop everything, and name the runs that this interrupts."""
    runs, unknown = [], False
    if stack.scheduler.identity is not None:
        try:
            runs = stack.api().runs_in_progress()
        except StackError:
            unknown = True
    stopped = stack.stop()
    for dag, run in runs:
        print(f"Interrupted {dag}, run {run}: it goes on at the next start; `make demo` starts and follows it.")
    if unknown:
        print("Airflow's API server did not answer, so whether this interrupted a run is not known.")
    print("Stopped; the data stays in .local/." if stopped else "Nothing was running.")
    return 0


def status(stack: Stack) -> int:
    """Show the state of each server and how to reach them; returns 1 if a part of them is not ready."""
    states = stack.status()
    for name, state in states.items():
        print(f"  {name:<14} {state}")
    if set(states.values()) == {"stopped"}:
        print("Nothing is running: start it with `make demo` or `make local-up`.")
        return 0
    user, password = stack.login
    print(f"Airflow: {stack.url}  user {user}  password {password}")
    print(f"S3: {stack.s3_url}  bucket {BUCKET}  keys in {stack.shell_file}, as RECSYS_S3_ACCESS_KEY and _SECRET_KEY")
    print(f"Emails are files in {stack.mails}. To type commands by hand: source {stack.shell_file}")
    sys.stdout.flush()
    stopped = [name for name, state in states.items() if state == "stopped"]
    unready = [service for service in stack.services if states[service.name].startswith("not ready")]
    if stopped:
        print(f"{', '.join(stopped)} stopped, expected to run: `make local-up` starts what is missing", file=sys.stderr)
    for service in unready:
        print(f"{service.name} runs and is not ready, expected to answer: see {service.log}", file=sys.stderr)
    return 1 if stopped or unready else 0


def tasks(stack: Stack, arguments: list[str]) -> int:
    """Replace this process by `python -m tasks ...` with the settings of the stack."""
    if stack.postgres.identity is None or stack.s3.identity is None:
        raise StackError("the servers are not running, expected them to run: `make local-up` starts them")
    os.chdir(stack.root)
    os.execvpe(sys.executable, [sys.executable, "-m", "tasks", *arguments], os.environ | stack.environment())  # noqa: S606


def main() -> int:
    """Parse the command line and run one command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("command", choices=["up", "down", "status", "demo", "demo-new", "tasks"])
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="arguments of `tasks`")
    options = parser.parse_args()
    try:
        code = run(options.command, options.arguments)
        sys.stdout.flush()  # what is left; at its end the interpreter would print a stack trace if the pipe is closed
    except BrokenPipeError:  # as in `make local-status | head -1`
        discard_output()
        return 1
    return code


def run(command: str, arguments: list[str]) -> int:
    """Run one command; returns the exit code."""
    try:
        stack = Stack(ROOT, STATE, say=say)
        if command == "tasks":
            return tasks(stack, arguments)
        if command.startswith("demo"):
            from local.demo import demo  # noqa: PLC0415  not needed to stop a stack

            return demo(stack, new_films=command == "demo-new")
        return {"up": up, "down": down, "status": status}[command](stack)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "interrupted; started servers keep running: `make local-status` shows them, `make local-down` stops them",
            file=sys.stderr,
        )
        return 130


if __name__ == "__main__":
    sys.exit(main())
