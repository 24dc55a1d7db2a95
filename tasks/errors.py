"""What can go wrong, and the exit code that tells the scheduler what to do about it.

TaskError             1   a fault: may be retried
├── BadInput          2   (ValueError) found something else than expected: retrying cannot help
├── NotFound          2   (FileNotFoundError) a named thing is absent
├── Corrupt           1   bytes differ from what their manifest promised
├── Diverged          1   a training went wrong in its numbers: other hyper-parameters can help
├── ValidationFailed 10   the data broke its contract: never retried, people are told
└── NothingToDo      99   nothing new: the scheduler shows *skipped*
"""

from __future__ import annotations

from typing import ClassVar


class TaskError(Exception):
    """Base of all expected errors; its message is one sentence: found, expected, what to do."""

    exit_code: ClassVar[int] = 1


class BadInput(TaskError, ValueError):
    """An option, a file or a table is not what it has to be."""

    exit_code: ClassVar[int] = 2


class NotFound(TaskError, FileNotFoundError):
    """An object, an artefact or a row that was named does not exist."""

    exit_code: ClassVar[int] = 2


class Corrupt(TaskError):
    """Stored bytes are not those their manifest describes."""


class Diverged(TaskError):
    """A training whose numbers are not finite, or whose matrix cannot be inverted."""


class ValidationFailed(TaskError):
    """Data was checked and broke its contract; the evidence has been recorded."""

    exit_code: ClassVar[int] = 10


class NothingToDo(TaskError):
    """There is nothing new to work on."""

    exit_code: ClassVar[int] = 99
