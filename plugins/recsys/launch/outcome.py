"""How a task ends: what an exit code of the task package means to Airflow, whatever launched it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

NOTHING_TO_DO = 99
FINAL = {10: "validation failed", 2: "bad input"}  # the same input gives the same result: a retry cannot help
KILLED = 137  # 128 + SIGKILL, as reported by shells and container engines
FAULT = "fault"  # XCom key of the reason of a failure, for the alert
LONGEST_SENTENCE = 2000


def settle(context: Context, command: Sequence[str], code: int, sentence: str) -> None:
    """Return if `code` is 0, else raise the exception that tells Airflow what to do.

    `code` is the exit code, negative if a signal ended the process; `sentence` is the last line of standard error.
    Raises AirflowSkipException (99), AirflowFailException (10, 2: never retried) or AirflowException (else: retried).
    """
    code = 128 - code if code < 0 else code
    sentence = sentence.strip()[:LONGEST_SENTENCE]
    if code == 0:
        return
    if code == NOTHING_TO_DO:
        raise AirflowSkipException(sentence or f"{command[0]} found nothing to do")
    text = f"{command[0]} ended with {describe_code(code)}: {sentence or 'it wrote no error'}"
    remember(
        context, {"command": list(command), "exit_code": code, "error": text, "try_number": context["ti"].try_number}
    )
    if code in FINAL:
        raise AirflowFailException(text)
    raise AirflowException(text)


def out_of_memory(limit: str) -> str:
    """What stands for the last line of a command that was killed before it could write one."""
    return f"out of memory: it needed more than its limit of {limit} (RECSYS_TASK_MEMORY)"


def describe_code(code: int) -> str:
    """The exit code in words."""
    if code in FINAL:
        return f"exit code {code} ({FINAL[code]})"
    if code == KILLED:
        return f"exit code {code} (out of memory, or killed from outside)"
    if code > 128:
        return f"exit code {code} (ended by signal {code - 128})"
    return f"exit code {code}"


def remember(context: Context, fault: dict[str, object]) -> None:
    """Store the reason of the failure for the alert, which another process sends when the run has ended."""
    try:
        context["ti"].xcom_push(FAULT, fault)
    except Exception:
        log.exception("the reason of this failure could not be kept for the alert; it is in this log all the same")


def log_failed_task(context: Context) -> None:
    """Task-level callback: says in the task's log what failed. The email is the run's business."""
    ti = context["ti"]
    tries = (context["task"].retries or 0) + 1
    error = context.get("exception") or "ended from outside"
    log.error("%s failed for good, try %d of %d: %s", ti.task_id, ti.try_number, tries, error)
