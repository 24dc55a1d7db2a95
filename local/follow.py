"""Follow a run of a DAG: on a terminal as a table that is redrawn, elsewhere with one line per change."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from graphlib import TopologicalSorter
from typing import Any

from local.errors import StackError
from local.rest import FINISHED, Api, RefusedError

INTERVAL = 1.0  # seconds between two requests
PATIENCE = 300.0  # seconds without an answer: a busy machine must not end the watching of a run that goes on
WAITING = {None, "scheduled", "queued", "deferred"}
SIGNS = {
    "success": "+",
    "failed": "x",
    "upstream_failed": "-",
    "skipped": "-",
    "running": ">",
    "up_for_retry": "!",
    "awaiting_input": "?",
}
Task = Mapping[str, Any]


def follow(api: Api, dag: str, run: str) -> str:
    """Show the run until it has finished; returns its state, `success` or `failed`.

    Raises StackError once the API has not answered for PATIENCE seconds.
    """
    show = Table() if sys.stdout.isatty() else Lines()
    order = sequence(api, dag)
    begun = answered = time.monotonic()
    while True:
        try:
            state, tasks = str(api.run(dag, run)["state"]), api.tasks(dag, run)
        except RefusedError:
            raise
        except StackError:
            if time.monotonic() - answered > PATIENCE:
                raise
        else:
            answered = time.monotonic()
            show(
                sorted(tasks, key=lambda task: (order.get(task["task_id"], len(order)), task["map_index"])),
                answered - begun,
            )
            if state in FINISHED:
                return state
        time.sleep(INTERVAL)


def sequence(api: Api, dag: str) -> dict[str, int]:
    """Return task id -> position in a topological order of the DAG."""
    tasks = api.get(f"/dags/{dag}/tasks")["tasks"]
    before: dict[str, set[str]] = {task["task_id"]: set() for task in tasks}
    for task in tasks:
        for follower in task["downstream_task_ids"]:
            before[follower].add(task["task_id"])
    return {name: place for place, name in enumerate(TopologicalSorter(before).static_order())}


def label(task: Task) -> str:
    """Return the name of a task, with the value it is mapped over."""
    if task["map_index"] < 0:
        return str(task["task_id"])
    return f"{task['task_id']} [{task['rendered_map_index'] or task['map_index']}]"


def describe(task: Task) -> str:
    """Return one line with the state of a task."""
    state = task["state"]
    seconds = f"{task['duration']:6.1f} s" if task["duration"] else ""
    tries = f"  try {task['try_number']}" if task["try_number"] > 1 else ""
    return f"{SIGNS.get(state, ' ')} {label(task):<28} {state or 'waiting':<16} {seconds}{tries}".rstrip()


class Lines:
    """Prints one line per change of state, with the seconds since the start."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int], tuple[str, int]] = {}

    def __call__(self, tasks: Sequence[Task], seconds: float) -> None:
        """Print the tasks whose state has changed."""
        for task in tasks:
            key, now = (task["task_id"], task["map_index"]), (task["state"], task["try_number"])
            # Airflow sets the name of a mapped task shortly after its start; until then it has only a number.
            nameless = task["map_index"] >= 0 and task["rendered_map_index"] in {None, str(task["map_index"])}
            if task["state"] in WAITING or self._seen.get(key) == now or (nameless and task["state"] == "running"):
                continue
            self._seen[key] = now
            print(f"  {seconds:5.0f} s  {describe(task)}", flush=True)


class Table:
    """Redraws all tasks in place; falls back to `Lines` if the terminal has too few lines."""

    def __init__(self, write: Callable[[str], object] = sys.stdout.write) -> None:
        self._write = write
        self._drawn = 0
        self._lines = Lines()

    def __call__(self, tasks: Sequence[Task], seconds: float) -> None:
        """Draw all tasks."""
        if len(tasks) + 2 > shutil.get_terminal_size().lines:
            self._lines(tasks, seconds)
            return
        rows = [f"  {describe(task)}" for task in tasks] + [f"  {seconds:.0f} s"]
        up = f"\x1b[{self._drawn}A" if self._drawn else ""
        self._write(up + "".join(f"\x1b[2K{row}\n" for row in rows) + "\x1b[J")
        sys.stdout.flush()
        self._drawn = len(rows)
