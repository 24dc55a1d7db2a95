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

import errno
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from pydantic import ValidationError

FULL = {errno.ENOSPC, errno.EDQUOT}  # of a disk, and of a user's share of it
LONGEST = 300  # characters of what a library says that go into a sentence of ours


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


def one_line(said: object, longest: int = LONGEST) -> str:
    """What a library says went wrong, on one line and cut when it is long."""
    return " ".join(str(said).split())[:longest]


def describe_invalid(
    error: ValidationError, known: Iterable[str], key: str = "key", *, below: Mapping[str, Iterable[str]] | None = None
) -> str:
    """What is wrong with the values of a configuration, in one sentence; `known` are its keys, `key` what they are.

    `below`: key -> the keys of what stands under it.
    """
    parts = []
    for one in error.errors():
        place = ".".join(str(part) for part in one["loc"]) or "config"
        if one["type"] == "extra_forbidden":
            own = (below or {}).get(str(one["loc"][0]), known)
            parts.append(f"unknown {key} {place}, expected some of {', '.join(sorted(own))}")
        elif one["type"] == "value_error":  # one of our own sentences
            parts.append(one["msg"].removeprefix("Value error, "))
        else:
            parts.append(f"{place}: {one['msg']}, found {one.get('input')!r}")
    return "; ".join(parts)
