"""Turns a command line of the task package into an operator, with the defaults of every operator."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator

from recsys.launch.outcome import RETRIES, log_failed_task, log_failed_try
from recsys.launch.parameters import refuse_unknown

GPU_POOL = "gpu"

# For every task of every DAG: `@dag(default_args=DEFAULTS)`.
DEFAULTS: dict[str, Any] = {
    "owner": "recsys",
    # A fault is a restarting store or database, a busy GPU, a killed process. 1 + 3 + 9 minutes outlast a restart; bad
    # data is not a fault and is never retried (outcome.py).
    "retries": 3,
    "retry_delay": timedelta(minutes=1),
    "retry_exponential_backoff": 3.0,
    "max_retry_delay": timedelta(minutes=15),
    # Only extract and train may take longer; a task that hangs must not delay the next run.
    "execution_timeout": timedelta(hours=2),
    # The email is sent once, by the DAG's callback; a task only logs what happened.
    "on_failure_callback": [log_failed_task],
    "on_retry_callback": [log_failed_try],
}
# What the UI says of every command.
DOCUMENTATION = """\
Runs `python -m tasks {command}`, whose `--help` says what it does and what ends it.

* **Log**: what was found and checked, and where the artefact was written; the last lines of a failed task say why.
* **XCom** `report`: its counts and metrics (not with the launcher `kubernetes`, where the log has them).
"""
# For tasks that use an accelerator.
GPU_DEFAULTS: dict[str, Any] = {
    # As many slots as GPUs: two processes on one GPU run out of memory, late and at random.
    "pool": GPU_POOL,
    # A first run over all media, or a large model without an accelerator, takes hours.
    "execution_timeout": timedelta(hours=12),
}


def process(*, gpu: bool, **arguments: Any) -> BaseOperator:  # noqa: ANN401  the operator checks them
    """Run it as a child process of the worker, with the worker's devices; `gpu` has no effect."""
    del gpu
    # A DAG file need not wait for the launchers it does not use.
    from recsys.launch.process import ProcessTask  # noqa: PLC0415

    return ProcessTask(**arguments)


def docker(**arguments: Any) -> BaseOperator:  # noqa: ANN401
    """As a container of the task image."""
    from recsys.launch.docker import DockerTask  # noqa: PLC0415

    return DockerTask(**arguments)


def kubernetes(**arguments: Any) -> BaseOperator:  # noqa: ANN401
    """As a pod."""
    from recsys.launch.kubernetes import PodTask  # noqa: PLC0415

    return PodTask(**arguments)


LAUNCHERS: dict[str, Callable[..., BaseOperator]] = {"process": process, "docker": docker, "kubernetes": kubernetes}


def container(command: str, *arguments: object, gpu: bool = False, **overrides: object) -> BaseOperator:
    """Return the task `command`, which runs `python -m tasks command *arguments` (templates or mapped values).

    RECSYS_LAUNCHER selects how it is run; `gpu` requests an accelerator; `overrides` are passed to the operator. A
    mapped task is shown by its last argument, so put the mapped value there.
    """
    name = os.environ.get("RECSYS_LAUNCHER", "process")
    if name not in LAUNCHERS:
        raise ValueError(f"RECSYS_LAUNCHER is {name!r}, expected one of {sorted(LAUNCHERS)}")
    words = [command, *arguments]
    settings = {
        "task_id": command,
        "command": words,
        "map_index_template": None if isinstance(words[-1], str) else "{{ task.command[-1] }}",
        "doc_md": DOCUMENTATION.format(command=command),
        "retry_policy": RETRIES,
        "pre_execute": refuse_unknown,
        "do_xcom_push": False,  # results of a command are in the store
        **(GPU_DEFAULTS if gpu else {}),
        **overrides,
    }
    return LAUNCHERS[name](gpu=gpu, **settings)
