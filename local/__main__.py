"""Entry point of the Makefile: `python -m local up | down | status | demo | demo-new | tasks ...`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from local.errors import StackError
from local.stack import Stack

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".local"


def up(stack: Stack) -> int:
    """Start all servers that are not running."""
    started = stack.start()
    print(f"Started: {', '.join(started)}." if started else "Everything was already running.")
    status(stack)
    return 0


def down(stack: Stack) -> int:
    """Stop everything."""
    print("Stopped; the data stays in .local/." if stack.stop() else "Nothing was running.")
    return 0


def status(stack: Stack) -> int:
    """Show the state of each server, and how to reach them."""
    states = stack.status()
    for name, state in states.items():
        print(f"  {name:<14} {state}")
    if set(states.values()) == {"stopped"}:
        print("Nothing is running: start it with `make demo` or `make local-up`.")
        return 0
    user, password = stack.login
    print(f"Airflow: {stack.url}  user {user}  password {password}")
    print(f"Emails are files in {stack.mails}. To type commands by hand: source .local/env")
    return 0


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
        stack = Stack(ROOT, STATE, say=lambda line: print(f"  {line}", flush=True))
        if options.command == "tasks":
            return tasks(stack, options.arguments)
        if options.command.startswith("demo"):
            from local.demo import demo  # noqa: PLC0415  not needed to stop a stack

            return demo(stack, new_films=options.command == "demo-new")
        return {"up": up, "down": down, "status": status}[options.command](stack)
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
