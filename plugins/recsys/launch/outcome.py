"""How a task ends: what an exit code of the task package means to Airflow, whatever launched it."""

from __future__ import annotations

import json
import logging
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule
from airflow.sdk.exceptions import AirflowSkipException, AirflowTaskTimeout

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

NOTHING_TO_DO = 99
BAD_INPUT = 2
VALIDATION_FAILED = 10
FINAL = {
    VALIDATION_FAILED: "validation failed",
    BAD_INPUT: "bad input",
}  # the same input gives the same result: a retry cannot help
FAILED = 1  # exit code of any other fault
KILLED = 137  # 128 + SIGKILL, as reported by shells and container engines
FAULT = "fault"  # XCom key of the reason of a failure, for the alert
REPORT = "report"  # XCom key of a command's closing line: its counts and metrics
SKIPPED = "skipped"  # XCom key of why a command had nothing to do, for the note of the run
LONGEST_SENTENCE = 2000
WIDTH = 160  # characters: a line of a log that the UI shows without scrolling sideways


class Failed(SystemExit):
    """A task failed, for the reason that its one sentence gives. Retried.

    Of every exception but SystemExit, Airflow logs the stack, which tells an operator nothing; of this it logs `code`.
    """

    def __init__(self, sentence: str, code: int = FAILED) -> None:
        super().__init__(sentence)
        self.code = code


class FailedForGood(Failed):
    """A task failed, and a retry cannot help (`RETRIES`)."""

    def __init__(self, sentence: str, code: int = BAD_INPUT) -> None:
        super().__init__(sentence, code)


# Airflow itself knows one exception that is never retried, whose stack it logs.
RETRIES = ExceptionRetryPolicy(
    [RetryRule(exception=FailedForGood, action=RetryAction.FAIL, reason="a retry cannot help")]
)


def settle(context: Context, command: Sequence[str], code: int, sentence: str, closing: str = "") -> None:
    """Return if `code` is 0, else raise the exception that tells Airflow what to do.

    `code` is the exit code, negative if a signal ended the process; `sentence` is the last line of standard error, and
    `closing` that of standard output, whose values the UI shows with the task (XCom `report`) if it is JSON.
    Raises AirflowSkipException (99), FailedForGood (10, 2: never retried) or Failed (else: retried).
    """
    code = 128 - code if code < 0 else code
    sentence = sentence.strip()[:LONGEST_SENTENCE]
    if code == 0:
        _show(context, closing)
        return
    if code == NOTHING_TO_DO:
        sentence = sentence or f"{command[0]} found nothing to do"
        _push(context, SKIPPED, sentence)
        raise AirflowSkipException(sentence)
    text = f"{command[0]} ended with {describe_code(code)}: {sentence or 'it wrote no error'}"
    remember(context, command, code, text)
    raise FailedForGood(text, code) if code in FINAL else Failed(text, code)


def _show(context: Context, closing: str) -> None:
    try:
        report = json.loads(closing)
    except ValueError:  # of a command for people: its words are in the log
        return
    if isinstance(report, dict) and report:
        _push(context, REPORT, report)


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


def remember(context: Context, command: Sequence[str], code: int, error: str) -> None:
    """Store the reason of the failure for the alert, which another process sends when the run has ended."""
    tried = context["ti"].try_number
    _push(context, FAULT, {"command": list(command), "exit_code": code, "error": error, "try_number": tried})


def _push(context: Context, key: str, value: object) -> None:
    """Show `value` with the task, whose outcome does not depend on it."""
    try:
        context["ti"].xcom_push(key, value)
    except Exception:
        log.exception("the XCom %s of this task could not be kept; what it says is in this log all the same", key)


def log_failed_task(context: Context) -> None:
    """Task-level callback: the log ends with what failed. The email is the run's business."""
    _close_log(context, "failed for good")


def log_failed_try(context: Context) -> None:
    """Task-level callback: the same for a try that another one follows."""
    _close_log(context, "failed and is tried again later")


def _close_log(context: Context, how: str) -> None:
    task, ti, error = context["task"], context["ti"], context.get("exception") or "ended from outside"
    if isinstance(error, AirflowTaskTimeout):
        error = f"it took longer than {task.execution_timeout}, its limit, and was ended (execution_timeout)"
    for _ in range(2):  # groups that Airflow may have begun, which its UI shows folded
        log.info("::endgroup::")
    text = f"{ti.task_id} {how}, try {ti.try_number} of {(task.retries or 0) + 1}: {error}"
    for line in textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False):
        log.error("%s", line)
