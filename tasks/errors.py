"""Errors of the commands, with the exit codes by which the scheduler decides what to do.

TaskError             1   a fault: may be retried
├── BadInput          2   (ValueError) the input is not as expected: retrying cannot help
├── NotFound          2   (FileNotFoundError) a named thing is absent
├── Corrupt           1   stored bytes differ from their manifest
├── Diverged          1   training diverged numerically: other hyperparameters can help
├── ValidationFailed 10   the data failed validation: never retried, an alert is sent
└── NothingToDo      99   nothing new: the scheduler shows *skipped*
"""

from __future__ import annotations

from typing import ClassVar


class TaskError(Exception):
    """Base of all expected errors; its message is one sentence: found, expected, what to do."""

    exit_code: ClassVar[int] = 1


class BadInput(TaskError, ValueError):
    """An option, a file or a table is not as expected."""

    exit_code: ClassVar[int] = 2


class NotFound(TaskError, FileNotFoundError):
    """A named object, artefact or row does not exist."""

    exit_code: ClassVar[int] = 2


class Corrupt(TaskError):
    """Stored bytes differ from those that their manifest describes."""


class Diverged(TaskError):
    """Training gave values that are not finite, or a matrix that cannot be inverted."""


class ValidationFailed(TaskError):
    """The data failed validation; the report has been stored."""

    exit_code: ClassVar[int] = 10


class NothingToDo(TaskError):
    """There is nothing new to work on."""

    exit_code: ClassVar[int] = 99
