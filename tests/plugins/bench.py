"""What the tests of all launchers share."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow.sdk import BaseOperator

DEADLINE = 20.0


@dataclass
class TaskInstance:
    """What the launcher uses of Airflow's task instance."""

    dag_id: str = "dag"
    run_id: str = "manual__2026-01-01T00:00:00+00:00"
    task_id: str = "train"
    map_index: int = 2
    try_number: int = 1
    pushed: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any) -> None:
        """Keep it, as JSON can."""
        self.pushed[key] = json.loads(json.dumps(value))


def execute(task: BaseOperator, ti: TaskInstance) -> None:
    """As the task runner calls it, inside the guard against calling it from elsewhere."""
    type(task).execute.__wrapped__(task, {"ti": ti})  # type: ignore[attr-defined]


def messages(logged: Sequence[Mapping[str, Any]], level: str) -> list[str]:
    """What was logged at `level`."""
    return [entry["event"] for entry in logged if entry["log_level"] == level]


def wait(condition: Callable[[], object]) -> None:
    """Until `condition` holds."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
