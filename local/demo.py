"""The demo: a run of the nightly DAG on a generated catalogue of films, with a real Airflow, database and store."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Container, Sequence
from email import message_from_bytes
from email.policy import default
from pathlib import Path

from local.errors import StackError
from local.follow import Task, follow, label
from local.rest import Api
from local.stack import Stack

DAG = "retrain_nightly"
DATASET = "demo"
PARAMS = {"dataset": DATASET, "config": "demo"}
FILMS, VIEWERS, BROKEN, NEW = 300, 400, 3, 3
LOADED = "demo films"  # fact: number of films loaded into the store
LOG_LINES = 25
PARSING, MAILING = 120.0, 60.0  # seconds


def demo(stack: Stack, *, new_films: bool) -> int:
    """Start the stack, load films if needed, run the DAG and show the outcome; returns the exit code."""
    begun = time.monotonic()
    heading("Servers")
    print(f"  {', '.join(stack.start()) or 'all were already running'}: ready after {time.monotonic() - begun:.0f} s")
    known = int(stack.state.fact(LOADED) or 0)
    arrived = new_films or not known
    unfinished = stack.api().runs_in_progress(DAG) if known and new_films else []
    if unfinished:
        raise StackError(
            f"{DAG}, run {unfinished[0][1]} is not finished, expected no unfinished run before new films arrive: "
            "`make demo` follows it to its end, then repeat `make demo-new`"
        )
    if not known:
        if new_films:
            print("  there is no catalogue yet: running the first demo instead")
        arrive(stack, 0, FILMS, "--corrupt", str(BROKEN))
    elif new_films:
        arrive(stack, known, NEW)
    else:
        print(f"  the catalogue of {known} films is already in the store; `make demo-new` adds three")
    code = night(stack, arrived=arrived)
    if not code and known and new_films:
        heading("For whom the new films are")
        tasks(stack, "demo-arrivals", "--dataset", DATASET, "--first-item", str(known), "--items", str(NEW))
    seconds = time.monotonic() - begun
    heading(f"{'The run failed' if code else 'Done'} after {seconds:.0f} s; all servers keep running")
    farewell(stack)
    return code


def arrive(stack: Stack, first: int, count: int, *options: str) -> None:
    """Generate `count` films from number `first` on, and load them as a user would.

    The first ones come with a log of views; later ones arrive without a single view.
    """
    heading(
        f"{count} films arrive"
        + (f", {BROKEN} of them with a broken file" if options else ", which nobody has seen yet")
    )
    folder = stack.state.folder / "demo" / f"films-{first}"
    viewers = 0 if first else VIEWERS
    numbers = ["--first-item", str(first), "--items", str(count), "--users", str(viewers), "--opening", str(FILMS)]
    tasks(stack, "demo-catalogue", "--out", str(folder), *numbers, *options)
    tasks(stack, "load-media", str(folder), "--dataset", DATASET)
    tasks(stack, "load-items", str(folder / "items.csv"), "--dataset", DATASET)
    if viewers:
        tasks(stack, "load-interactions", str(folder / "interactions.csv"), "--dataset", DATASET)
    stack.state.remember_fact(LOADED, str(first + count))


def night(stack: Stack, *, arrived: bool) -> int:
    """Run the DAG and show the result; returns the exit code.

    A run that is already in progress is followed first; it does not include films that `arrived` after its start.
    """
    api = stack.api()
    api.wait_for_dag(DAG, PARSING)
    api.unpause(DAG)
    before = set(stack.mails.glob("*.eml"))
    running = api.runs_in_progress(DAG)
    run = running[0][1] if running else None
    if run is not None:
        heading(f"{DAG}, run {run}, already in progress")
        state = follow(api, DAG, run)
    if run is None or arrived:
        run = api.trigger(DAG, PARAMS)
        heading(f"{DAG}, run {run}")
        state = follow(api, DAG, run)
    instances = api.tasks(DAG, run)
    if state == "failed":
        return show_failure(stack, api, run, instances, before)
    if any(task["task_id"] == "scan" and task["state"] == "skipped" for task in instances):
        heading("Nothing new since the last release")
        print("  The run was skipped: nothing was encoded, trained or published; the served release stays.")
        return 0
    heading("What the tasks reported")
    for task in sorted(instances, key=lambda task: task["start_date"] or ""):
        known = {DATASET, run, task["rendered_map_index"]}
        if summary := closing_line(api.log(DAG, run, task), known=known):
            print(f"  {label(task):<24} {summary}")
    heading("Metrics and release")
    tasks(stack, "history", "--dataset", DATASET)
    return 0


def show_failure(stack: Stack, api: Api, run: str, instances: Sequence[Task], before: set[Path]) -> int:
    """Show why the run failed, and the alert email; returns the exit code."""
    for task in instances:
        if task["state"] == "failed":
            heading(f"{label(task)} failed; the last lines of its log")
            lines = [line for line in api.log(DAG, run, task) if not line.startswith("::")]
            begun = max((n for n, line in enumerate(lines) if line.startswith("python -m tasks ")), default=0)
            print("\n".join(f"  {line}" for line in lines[begun:][-LOG_LINES:]))
    deadline = time.monotonic() + MAILING
    while not (mails := sorted(set(stack.mails.glob("*.eml")) - before)) and time.monotonic() < deadline:
        time.sleep(1.0)  # another process writes the email after the run has failed
    heading("The alert")
    for mail in mails:
        show_mail(mail)
    if not mails:
        print(f"  no email in {stack.mails} after {MAILING:.0f} s: see .local/logs/dag-processor.log")
    return 1


def show_mail(path: Path) -> None:
    """Print an email as a mail program would, with its path."""
    message = message_from_bytes(path.read_bytes(), policy=default)
    body = message.get_body(("plain",))
    print(f"  {path}\n  To: {message['To']}\n  Subject: {message['Subject']}\n")
    print("\n".join(f"  {line}".rstrip() for line in (body.get_content() if body else "").splitlines()))


def farewell(stack: Stack) -> None:
    """Print what the user can do next."""
    user, password = stack.login
    print(f"  Airflow            {stack.url}   user {user}   password {password}")
    print("  run again          make demo      finds nothing new, so the run is skipped")
    print("  three new films    make demo-new  nobody has seen them: encodes only these, and shows for whom they are")
    print("  the metrics again  make local-history")
    print(f"  emails             {stack.mails}")
    print("  stop               make local-down  the data stay")


def tasks(stack: Stack, *arguments: str) -> None:
    """Run one command of the task package as a user would; raises StackError when it fails."""
    python = stack.environment()["RECSYS_PYTHON"]
    done = subprocess.run(
        [python, "-m", "tasks", *arguments], cwd=stack.root, env=os.environ | stack.environment(), check=False
    )
    if done.returncode:
        raise StackError(
            f"`python -m tasks {arguments[0]}` ended with exit code {done.returncode}; its output is above"
        )


def closing_line(log: Sequence[str], *, known: Container[str] = ()) -> str:
    """Return the numbers and texts of a command's closing line of JSON, without `known` values; empty without one."""
    for line in reversed(log):
        if line.startswith("{") and line.endswith("}"):
            try:
                summary = json.loads(line)
            except ValueError:
                continue
            plain = {
                key: value
                for key, value in summary.items()
                if isinstance(value, int | float | str) and value not in known
            }
            return ", ".join(
                f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in plain.items()
            )
    return ""


def heading(text: str) -> None:
    """Print a heading."""
    print(f"\n== {text}", flush=True)
